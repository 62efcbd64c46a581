"""The server blocks of HTTP, and which of them answers a request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from zdd.conf import hosts
from zdd.nginx.config import listen, pattern
from zdd.nginx.config.listen import Listen
from zdd.nginx.config.parse import Directive, Place, walk

_NO_NAME = "localhost"
_NOBODY = ("", "_")  # names that no visitor asks for


class Server(Struct, frozen=True):
    """A server block: where it stands, where it listens, and its names as they are written."""

    place: Place
    listens: list[Listen]
    names: list[str]

    @property
    def above(self) -> tuple[Directive, ...]:
        """The blocks around what stands in the server block, itself the last."""
        return (*self.place.above, self.place.directive)


class Door(Struct, frozen=True):
    """One way in: a server block, and one of its `listen`."""

    server: Server
    listen: Listen


def servers(text: list[Directive], port: int = 80) -> list[Server]:
    """
    Return the server blocks of HTTP, not those of stream or mail.

    `port` is for server blocks without a `listen`: 80 where root starts nginx, else 8000.
    """
    places = [place for place in walk(text) if place.directive.name == "server" and place.directive.block is not None]
    return [_server(place, port) for place in places if place.is_http() and not place.enclosing("upstream")]


def answering(doors: Sequence[Door], door: Door, host: str) -> Server | None:
    """
    Return which server answers a request for this host that comes in by this door; None where nobody can know.

    `doors` are all there are. As in nginx, a name comes before a wildcard at its beginning, that before one at its end,
    and all of them before regular expressions; else the default server answers.
    """
    group = _group(doors, door.listen)
    named = list(_by_name(group, host.lower().rstrip(".")))
    if named:
        return min(named, key=lambda rank: rank[0])[1]
    for other in group:
        for name in other.server.names:
            if name.startswith("~"):
                matches = pattern.matches(name[1:], host.lower(), ignore_case=True)
                if matches is None:
                    return None
                if matches:
                    return other.server
    return next((other.server for other in group if other.listen.is_default), group[0].server if group else None)


def doors(all_servers: Sequence[Server]) -> list[Door]:
    """Return all ways in, in nginx's order."""
    return [Door(server, where) for server in all_servers for where in server.listens]


def naming(doors: Sequence[Door], host: str) -> list[Door]:
    """Return the ways into the server blocks that name this host, by a regular expression not counted."""
    return [door for door in doors if any(_by_name([door], host.lower().rstrip(".")))]


def rank(name: str, host: str) -> tuple[int, int] | None:
    """
    Return how a name matches a host, both in lower case, the less the better; None if it does not.

    >>> rank("a.test", "a.test"), rank("*.test", "a.test"), rank("a.*", "a.test"), rank("~.", "a.test")
    ((0, 0), (1, -6), (2, -3), None)
    """
    if name == host:
        return 0, 0
    if name.startswith("*.") and host.endswith(name[1:]) and len(host) >= len(name):
        return 1, -len(name)
    if name.endswith(".*") and host.startswith(name[:-1]) and len(host) >= len(name):
        return 2, -len(name)
    return None


def asked(server: Server, wanted: str | None) -> list[str]:
    """Return the Host headers by which a visitor may mean the server, the best first."""
    names = [name for name in server.names if name not in _NOBODY]
    return [host for host in dict.fromkeys((wanted, hosts.asked(names), _NO_NAME)) if host]


def _server(place: Place, port: int) -> Server:
    listens = [where for inner in place.directive.inner("listen") if (where := listen.parsed(inner.args))]
    names = [name for inner in place.directive.inner("server_name") for name in inner.args]
    return Server(place, listens or [Listen("0.0.0.0", port)], names or [""])


def _group(doors: Sequence[Door], where: Listen) -> list[Door]:
    """Return the doors of the socket that takes the connection: one for its very address, else one for all."""
    if where.unix is not None:
        return [door for door in doors if door.listen.unix == where.unix]
    at_port = [door for door in doors if door.listen.unix is None and door.listen.port == where.port]
    exact = [door for door in at_port if door.listen.host == where.address[0]]
    return exact or [door for door in at_port if door.listen.host == where.host]


def _by_name(group: Sequence[Door], host: str) -> Iterator[tuple[tuple[int, int, int], Server]]:
    """Yield the servers that name the host, with their rank; the least rank answers."""
    for number, door in enumerate(group):
        for written in door.server.names:
            for name in hosts.meant(written):
                if fits := rank(name, host):
                    yield (*fits, number), door.server
