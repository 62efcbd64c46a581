"""What loses requests, or surprises later, in an nginx text that the user wrote."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from zdd.conf.schema import Service
from zdd.finding import Finding, warning
from zdd.nginx.config import version as versions
from zdd.nginx.config.parse import Directive, Place, walk
from zdd.nginx.config.version import Version

_SHORT = 5.0  # seconds for which a pooled connection may go on leading to an old instance
_SECONDS = {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600, "d": 86400}
_BOUNDS = "keepalive_time 1s; keepalive_timeout 1s;"
_FEW = 1024  # worker_connections: a request takes two, and nginx's default is 512


class Served(NamedTuple):
    """A service as nginx sees it: its number of instances, and whether a link switches it, not a reload."""

    instances: int
    by_link: bool


class Pass(NamedTuple):
    """A place that sends requests to a service, through an upstream unless that is None."""

    service: str
    place: Place
    upstream: Directive | None


def served(services: Mapping[str, Service]) -> dict[str, Served]:
    """Return the services that nginx sends requests to."""
    reached = {}
    for name, service in services.items():
        if service.kind == "classic":
            reached[name] = Served(1, by_link=False)
        elif not service.is_worker:
            reached[name] = Served(service.instances, by_link=service.kind != "tcp")
    return reached


def mark(service: str) -> str:
    """Return a text in place of a service's addresses, by which `passes` finds the service."""
    return f"zdd~{service}~"


def passes(text: list[Directive], services: Collection[str], named: bool) -> list[Pass]:
    """Return where a text sends requests to services: to upstreams of their names (`named`), or to their marks."""
    places = [place for place in walk(text) if place.directive.args]
    upstreams = {place.directive.args[0]: place.directive for place in places if place.directive.name == "upstream"}
    found = []
    for place in places:
        if place.directive.name.endswith("_pass"):
            target = place.directive.args[0]
            name = re.split("[/:]", target.partition("://")[2] or target)[0]
            upstream = upstreams.get(name)
            words = [target, *(word for inner in _inside(upstream) for word in inner.args)]
            found += [
                Pass(service, place, upstream)
                for service in services
                if (named and service == name) or any(mark(service) in word for word in words)
            ]
    return found


def judge(
    text: list[Directive], version: Version, services: Mapping[str, Served], passes: list[Pass]
) -> Iterator[Finding]:
    """Yield the findings about a text; `passes` are its places that send requests to services."""
    yield from advise(passes, version, services)
    for place in walk(text):
        few = place.directive.args[0] if place.directive.name == "worker_connections" and place.directive.args else ""
        if few.isdecimal() and int(few) < _FEW:
            yield warning(
                f"worker_connections is {few}",
                "a request takes two, and while requests are held beyond it even static files are not served",
                "worker_connections 4096;",
            )


def advise(passes: list[Pass], version: Version, services: Mapping[str, Served]) -> list[Finding]:
    """Return the findings about such places. A finding is an error if deploys lose requests by it."""
    advice = []
    for passing in passes:
        service = services[passing.service]
        advice += [*_pool(passing, version, service.by_link), *_retries(passing, service.instances), *_upgrade(passing)]
    return list(dict.fromkeys(advice))


def _pool(passing: Pass, version: Version, by_link: bool) -> Iterator[Finding]:
    directives = {inner.name: inner.args for inner in _inside(passing.upstream)}
    by_default = "32" if version >= versions.POOLS_BY_DEFAULT and passing.upstream else "0"
    if directives.get("keepalive", [by_default])[:1] == ["0"]:
        return
    bounds = (directives.get("keepalive_time", ["1h"]), directives.get("keepalive_timeout", ["60s"]))
    if max(map(_seconds, bounds)) > _SHORT:
        unasked = f"nginx {versions.dotted(version)} pools unasked"
        how = "keepalive has no short bounds" if "keepalive" in directives else unasked
        yield Finding(
            "error" if by_link else "warning",
            f"upstream {passing.upstream.args[0] if passing.upstream else passing.service}: {how}",
            "pooled connections lead to the old instance until it stops; a POST on one of them is then answered 502",
            f"put {{{passing.service}.servers}} in the upstream, or keepalive 64; {_BOUNDS}",
        )


def _retries(passing: Pass, instances: int) -> Iterator[Finding]:
    conditions = [word for directive in passing.place.inherited("proxy_next_upstream") for word in directive.args]
    if "non_idempotent" in conditions:
        yield warning(
            f"{_where(passing)}: proxy_next_upstream repeats POSTs (non_idempotent)",
            "a POST whose connection broke may have been executed: it is executed once more by another instance",
            "leave non_idempotent out",
        )
    tries = [directive.args for directive in passing.place.inherited("proxy_next_upstream_tries")]
    if instances > 1 and conditions != ["off"] and tries in ([], [["0"]]):
        yield warning(
            f"{_where(passing)}: proxy_next_upstream has no bound",
            f"a request that kills an instance is tried on each of the {instances}, and kills them all",
            "proxy_next_upstream error; proxy_next_upstream_tries 2;",
        )


def _upgrade(passing: Pass) -> Iterator[Finding]:
    headers = {directive.args[0].lower() for directive in passing.place.inherited("proxy_set_header") if directive.args}
    if passing.place.directive.name == "proxy_pass" and "upgrade" not in headers:
        yield warning(
            f"{_where(passing)}: WebSockets cannot pass",
            "nginx drops the Upgrade header unless it is set; where the service has no WebSockets, all is well",
            "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection;"
            ' with, in http, map $http_upgrade $connection { default upgrade; "" ""; }',
        )


def _where(passing: Pass) -> str:
    """Return the place as a person would look for it."""
    location = next((outer for outer in reversed(passing.place.above) if outer.name == "location"), None)
    inside = f"location {' '.join(location.args)}: " if location else ""
    return f"{inside}{passing.place.directive.name} to {passing.service}"


def _inside(upstream: Directive | None) -> list[Directive]:
    return (upstream.block if upstream else None) or []


def _seconds(args: list[str]) -> float:
    """Return the seconds of one of nginx's times, such as 1h 30m; infinity for what nginx would refuse."""
    parts = re.findall(r"([0-9]+)(ms|[smhd]?)", "".join(args))
    return sum(int(number) * _SECONDS[unit] for number, unit in parts) if parts else float("inf")
