"""The requests by which visitors reach each service through zdd's own text: a host and a path that lead to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from zdd.conf import hosts
from zdd.conf.services import GRPC_HEALTH, RunService, StaticService
from zdd.nginx.config import server
from zdd.nginx.config.listen import Address, Visit
from zdd.nginx.config.request_path import encoded

Routed = RunService | StaticService

NAMED = "add a host that is no regular expression"
"""What to do about a static service that no request is known for: it has no health_host."""

_UNKNOWN = "no host or path is known that leads to it alone"
_ANY = ""  # the host of routes for all hosts, and of those whose hosts are patterns
_UNNAMED = ("localhost", "zdd.invalid")  # hosts for a service that names none, unless another one names them


class _Route(Struct, frozen=True):
    """Where a service is: its names as nginx compares them, none for all hosts, and its path as a request spells it."""

    service: Routed
    names: list[str]
    path: str


class _Routes:
    """All routes, by host and path: a search among all of them for each of a thousand services would take seconds."""

    def __init__(self, routes: Sequence[_Route]) -> None:
        self._by_place: dict[tuple[str, str], dict[int, _Route]] = {}
        for number, route in enumerate(routes):
            exact = [name for name in route.names if "*" not in name]
            for name in exact if len(exact) == len(route.names) and exact else [*exact, _ANY]:
                self._by_place.setdefault((name, route.path), {})[number] = route

    def near(self, host: str, path: str) -> list[_Route]:
        """Return, in their order, all routes that may cover a request; others with them, if they have patterns."""
        slashes = [number for number, letter in enumerate(path) if letter == "/"]
        above = {path, *(path[:number] for number in slashes), *(path[: number + 1] for number in slashes)}
        found: dict[int, _Route] = {}
        for place in [(name, each) for name in (host, _ANY) for each in above]:
            found |= self._by_place.get(place, {})
        return [route for _, route in sorted(found.items())]


def find(
    services: Mapping[str, Routed],
    wanted: Collection[str],
    server_name: Sequence[str],
    address: Address,
    canonical: str | None,
) -> dict[str, Visit | str]:
    """
    Return for each of the wanted services a request to this address that reaches it, or why none is known.

    `canonical` is the host, in small letters, that nginx redirects others to.
    """
    routed = {name: service for name, service in services.items() if service.is_routed}
    routes = _Routes([_route(service, server_name) for service in routed.values()])
    known = {name: _request(routes, routed[name], server_name, canonical) for name in wanted if name in routed}
    calls = {name for name, service in routed.items() if service.protocol == "grpc"}
    return {
        name: Visit(name, address, *request, grpc=name in calls) if request else _unknown(routed[name])
        for name, request in known.items()
    }


def _unknown(service: Routed) -> str:
    return f"{_UNKNOWN}: {NAMED if service.kind == 'static' else 'set health_host'}"


def _route(service: Routed, server_name: Sequence[str]) -> _Route:
    names = [name for each in service.host or server_name for name in hosts.meant(each)]
    return _Route(service, names, encoded(service.path))


def _request(
    routes: _Routes, service: Routed, server_name: Sequence[str], canonical: str | None
) -> tuple[str, str] | None:
    """Return a host and a path that lead to the service, the ones of its health request if they do; else None."""
    given = service.host or server_name
    named = hosts.asked(given)
    first = [canonical] if canonical in [name.lower() for name in given] else []
    likely = [*filter(None, [*first, service.health_host]), *([named] if named else _UNNAMED)]
    asked = GRPC_HEALTH if service.protocol == "grpc" else service.health_path
    own = service.path if service.kind != "static" else f"{service.path.rstrip('/')}/"  # without it nginx redirects
    for path in (*([asked] if asked else []), encoded(own)):
        for host in likely:
            if _leads_to(routes, host.lower(), path.partition("?")[0]) is service:
                return host, path
    return None


def _leads_to(routes: _Routes, host: str, path: str) -> Routed | None:
    """Return the service whose route has the longest path for a request; None for a host that a pattern may match."""
    covering = [route for route in routes.near(host, path) if _covers(route.path, path)]
    reached = [route for route in covering if not route.names or any(server.rank(name, host) for name in route.names)]
    # Of routes with the same path, one that names the host wins, then one that has it from server_name.
    best = max(reached, key=lambda route: (len(route.path), bool(route.service.host), bool(route.names)), default=None)
    return best.service if best else None


def _covers(route: str, path: str) -> bool:
    """Return whether the path is at or below the route: whole segments only."""
    return path.startswith(route) if route.endswith("/") else path == route or path.startswith(route + "/")
