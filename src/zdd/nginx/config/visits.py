"""The requests by which visitors reach each service through zdd's own text: a host and a path that lead to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from zdd.conf import hosts
from zdd.conf.schema import RunService
from zdd.nginx.config import server
from zdd.nginx.config.listen import Address, Visit
from zdd.nginx.config.request_path import encoded

_UNKNOWN = "no host or path is known that leads to it alone: set health_host"
_UNNAMED = ("localhost", "zdd.invalid")  # hosts for a service that names none, unless another one names them


def find(
    services: Mapping[str, RunService], wanted: Collection[str], server_name: Sequence[str], address: Address
) -> dict[str, Visit | str]:
    """Return for each of the wanted services a request to this address that reaches it, or why none is known."""
    routed = {name: service for name, service in services.items() if service.is_routed}
    known = {name: _request(routed, routed[name], server_name) for name in wanted if name in routed}
    return {name: Visit(name, address, *request) if request else _UNKNOWN for name, request in known.items()}


def _request(
    services: Mapping[str, RunService], service: RunService, server_name: Sequence[str]
) -> tuple[str, str] | None:
    """Return a host and a path that lead to the service, the ones of its health request if they do; else None."""
    named = hosts.asked(service.host or server_name)
    health = [service.health_host] if service.health_host else []
    likely = [*health, *([named] if named else _UNNAMED)]
    paths = [service.health_path] if service.health_path else []
    for path in (*paths, encoded(service.path)):
        for host in likely:
            if _leads_to(services, host, path, server_name) == service.name:
                return host, path
    return None


def _leads_to(services: Mapping[str, RunService], host: str, path: str, server_name: Sequence[str]) -> str | None:
    """Return the service whose route has the longest path for a request; None for a host that a pattern may match."""
    own, anywhere = [], []
    for service in services.values():
        names = [name for each in service.host or server_name for name in hosts.meant(each)]
        if not names:
            anywhere.append(service)
        elif any(server.rank(name, host.lower()) for name in names):
            own.append(service)
    reached = [service for service in [*own, *anywhere] if _covers(encoded(service.path), path.partition("?")[0])]
    # Of routes with the same path, one that names the host wins, then one that has it from server_name.
    best = max(reached, key=lambda service: (len(service.path), bool(service.host), service in own), default=None)
    return best.name if best else None


def _covers(route: str, path: str) -> bool:
    """Return whether the path is at or below the route: whole segments only."""
    return path.startswith(route) if route.endswith("/") else path == route or path.startswith(route + "/")
