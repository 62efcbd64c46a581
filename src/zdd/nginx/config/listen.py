"""Where nginx listens, and the requests that get there."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from zdd.nginx.config.parse import Directive, every, parse

Address = tuple[str, int]

_EVERYWHERE = {"": "0.0.0.0", "*": "0.0.0.0"}
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_PORT = 80
_RAISE = 20_000


class Visit(Struct, frozen=True):
    """
    One request that leads through nginx to a service or a server block, named in messages by `service`.

    With `proxy_protocol` the connection begins with a line of the PROXY protocol, before TLS. Where `unix` is a path,
    nginx listens there and not at the address. A `guess` is sent where the text leads nowhere: what answers it may be
    somebody else. With `grpc` the request is a call, though in HTTP/1.1, from which nginx makes HTTP/2 for the app.
    """

    service: str
    address: Address
    host: str
    path: str
    tls: bool = False
    proxy_protocol: bool = False
    unix: str | None = None
    guess: bool = False
    grpc: bool = False


class Listen(Struct, frozen=True):
    """One `listen`: an IP address (or a name) and a port, or the path of a UNIX socket, and its words."""

    host: str
    port: int
    unix: str | None = None
    words: frozenset[str] = frozenset()

    @property
    def tls(self) -> bool:
        """Whether clients speak TLS there."""
        return "ssl" in self.words

    @property
    def proxy_protocol(self) -> bool:
        """Whether a connection begins with a line of the PROXY protocol."""
        return "proxy_protocol" in self.words

    @property
    def is_default(self) -> bool:
        """Whether its server is configured to answer for hosts that no server names."""
        return bool({"default_server", "default"} & self.words)

    @property
    def speaks_http1(self) -> bool:
        """Whether a client that speaks HTTP/1.1 is understood: not with QUIC, nor with HTTP/2 without TLS."""
        return "quic" not in self.words and ("http2" not in self.words or self.tls)

    @property
    def address(self) -> Address:
        """Where a client on this machine connects."""
        return _HERE.get(self.host, self.host), self.port


def parsed(args: Sequence[str]) -> Listen | None:
    """
    Return what the arguments of a `listen` say; None for what nginx refuses.

    >>> parsed(["[::]:443", "ssl"]).address, parsed(["8080"]).host
    (('::1', 443), '0.0.0.0')
    """
    if not args:
        return None
    where, words = args[0], frozenset(args[1:])
    if where.startswith("unix:"):
        return Listen("", 0, where.removeprefix("unix:"), words)
    if where.startswith("["):
        host, _, rest = where[1:].partition("]")
        port = rest.removeprefix(":")
    elif _is_number(where.partition("-")[0]):
        host, port = "", where
    else:
        host, _, port = where.partition(":")
    number = port.partition("-")[0] or str(_PORT)  # of a range of ports the first
    if not _is_number(number) or (not host and not port):
        return None
    return Listen(_EVERYWHERE.get(host, host), int(number), None, words)


def address(args: Sequence[str]) -> Address | None:
    """Return where to connect for the arguments of a `listen`; None if they name no TCP port."""
    listen = parsed(args)
    return listen.address if listen and listen.unix is None else None


def everywhere(said: Sequence[str], has_ipv6: bool) -> list[str]:
    """
    Return the addresses of the configuration's `listen`, where a bare port is every address, with IPv6 if there is any.

    Where the list itself names IPv6 addresses of that port, a bare port is every address of IPv4: an nginx that listens
    on one address cannot reload to all of them.

    >>> everywhere(["80", "0.0.0.0:81"], has_ipv6=True), everywhere(["80", "[::1]:80"], has_ipv6=True)
    (['80', '[::]:80', '0.0.0.0:81'], ['80', '[::1]:80'])
    """
    named = {port(address) for address in said if address.startswith("[")}
    found: list[str] = []
    for address in said:
        found.append(address)
        if has_ipv6 and address.isdecimal() and port(address) not in named:
            found.append(f"[::]:{int(address)}")
    return found


def port(address: str) -> int:
    """
    Return the port of an address as `listen` of the configuration has it.

    >>> port("8080"), port("[::1]:80")
    (8080, 80)
    """
    return int(address.rpartition(":")[2])


def sockets(directives: list[Directive]) -> set[Address]:
    """
    Return the addresses that nginx binds for the `listen` directives; "0.0.0.0" and "::" stand for every address.

    It binds no address of a port of which it binds every address.
    """
    known = [listen for said in every(directives, "listen") if (listen := parsed(said.args)) and listen.unix is None]
    everywhere = {(listen.host, listen.port) for listen in known if listen.host in _HERE}
    return {
        (listen.host, listen.port)
        for listen in known
        if listen.host in _HERE or ("::" if ":" in listen.host else "0.0.0.0", listen.port) not in everywhere
    }


def of_both_families(directives: list[Directive]) -> set[int]:
    """
    Return the ports of which one socket is to take every address of IPv6 and of IPv4.

    >>> of_both_families(parse("listen [::]:80 ipv6only=off; listen [::]:81; listen 82;"))
    {80}
    """
    known = filter(None, (parsed(said.args) for said in every(directives, "listen")))
    return {listen.port for listen in known if listen.host == "::" and "ipv6only=off" in listen.words}


def written(address: Address) -> str:
    """
    Return the argument of a `listen`; every address of IPv4 is none.

    >>> written(("0.0.0.0", 80)), written(("::", 80)), written(("127.0.0.1", 80))
    (':80', '[::]:80', '127.0.0.1:80')
    """
    host, port = address
    return f":{port}" if host == "0.0.0.0" else f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def raised(text: str, below: int) -> str:
    """
    Return the text with 20000 added to each TCP port under `below`, for a test by somebody who may not listen there.

    `nginx -t` binds every port, and forgives only that a port is taken. Lines stay where they are.

    >>> raised("listen [::]:80 ssl; listen 8080;", 1024)
    'listen [::]:20080 ssl; listen 8080;'
    """
    for said in reversed(list(every(parse(text), "listen"))):
        where = parsed(said.args)
        if where and where.unix is None and where.port < below:
            host, _, port = said.args[0].rpartition(":")
            bare = not port.partition("-")[0].isdecimal() or said.args[0].endswith("]")
            high = str(where.port + _RAISE)
            arg = f"{said.args[0]}:{high}" if bare else f"{host}:{high}" if host else high
            words = " ".join(["listen", arg, *said.args[1:]])
            text = f"{text[: said.spot.start]}{words};{text[said.spot.end :]}"
    return text


def ports(text: str) -> set[int]:
    """Return the TCP ports of a text's `listen` directives, without those of the files that it includes."""
    return ports_of(parse(text))


def ports_of(directives: list[Directive]) -> set[int]:
    """Return the TCP ports of all `listen` directives, be they of http, stream or mail."""
    return {where[1] for said in every(directives, "listen") if (where := address(said.args))}


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= 5
