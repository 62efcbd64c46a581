"""What costs requests, or surprises later, in an nginx text that somebody else wrote."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from zdd.nginx.config.parse import ConfFile, Directive, walk
from zdd.nginx.process.binary import Version

_POOLS_UNASKED: Version = (1, 29, 7)  # since then upstreams keep connections alive, and HTTP/1.1 is spoken, by default
_SHORT = 5.0  # seconds for which a pooled connection may go on leading to an old instance
_SECONDS = {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600, "d": 86400}
_BOUNDS = "keepalive_time 1s; keepalive_timeout 1s;"


class Advice(NamedTuple):
    """What is so, why it matters, how to fix it; `severe` where deploys lose requests by it."""

    what: str
    why: str
    fix: str
    severe: bool = False


class Served(NamedTuple):
    """A service as nginx meets it: how many instances, and whether it is switched by a link and not by a reload."""

    instances: int
    by_link: bool


class Pass(NamedTuple):
    """A place that sends requests to a service, through an upstream unless that is None."""

    service: str
    place: ConfFile
    upstream: Directive | None


def mark(service: str) -> str:
    """Return what stands in a text for the addresses of a service, so that they are found in it."""
    return f"zdd~{service}~"


def passes(text: list[Directive], services: Collection[str], named: bool) -> list[Pass]:
    """Return where requests are sent to services: upstreams of their names (`named`), or what has their marks."""
    upstreams = {one.directive.args[0]: one.directive for one in walk(text) if _is_upstream(one.directive)}
    paths = [one for one in walk(text) if one.directive.name.endswith("_pass") and one.directive.args]
    found = []
    for place in paths:
        target = place.directive.args[0]
        name = re.split("[/:]", target.partition("://")[2] or target)[0]
        words = [target, *_servers(upstreams.get(name))]
        led_to = [one for one in services if (named and name == one) or any(mark(one) in word for word in words)]
        found += [Pass(service, place, upstreams.get(name)) for service in led_to]
    return found


def advise(found: list[Pass], version: Version, services: Mapping[str, Served]) -> list[Advice]:
    """Return what there is to say of such places."""
    advice = []
    for one in found:
        served = services[one.service]
        advice += [*_pool(one, version, served.by_link), *_again(one, served.instances), *_upgrade(one)]
    return list(dict.fromkeys(advice))


def _pool(one: Pass, version: Version, by_link: bool) -> Iterator[Advice]:
    directives = {found.name: found.args for found in (one.upstream.block or () if one.upstream else ())}
    asked = directives.get("keepalive", ["32" if version >= _POOLS_UNASKED and one.upstream else "0"])
    if asked[:1] == ["0"]:
        return
    bounds = (directives.get("keepalive_time", ["1h"]), directives.get("keepalive_timeout", ["60s"]))
    if max(map(_seconds, bounds)) > _SHORT:
        how = (
            "keepalive has no short bounds" if "keepalive" in directives else f"nginx {_dotted(version)} pools unasked"
        )
        yield Advice(
            f"upstream {one.upstream.args[0] if one.upstream else one.service}: {how}",
            "pooled connections lead to the old instance until it stops; a POST on one of them is then answered 502",
            f"put {{{one.service}.servers}} in the upstream, or keepalive 64; {_BOUNDS}",
            severe=by_link,
        )


def _again(one: Pass, instances: int) -> Iterator[Advice]:
    conditions = [word for found in one.place.inherited("proxy_next_upstream") for word in found.args]
    if "non_idempotent" in conditions:
        yield Advice(
            f"{_where(one)}: proxy_next_upstream repeats POSTs (non_idempotent)",
            "a POST whose connection broke may have been executed: it is executed once more by another instance",
            "leave non_idempotent out",
        )
    tries = [found.args for found in one.place.inherited("proxy_next_upstream_tries")]
    if instances > 1 and conditions != ["off"] and tries in ([], [["0"]]):
        yield Advice(
            f"{_where(one)}: proxy_next_upstream has no bound",
            f"a request that kills an instance is tried on each of the {instances}, and kills them all",
            "proxy_next_upstream error; proxy_next_upstream_tries 2;",
        )


def _upgrade(one: Pass) -> Iterator[Advice]:
    headers = {found.args[0].lower() for found in one.place.inherited("proxy_set_header") if found.args}
    if one.place.directive.name == "proxy_pass" and "upgrade" not in headers:
        yield Advice(
            f"{_where(one)}: WebSockets cannot pass",
            "nginx drops the Upgrade header unless it is set; where the service has no WebSockets, all is well",
            "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection;"
            ' with, in http, map $http_upgrade $connection { default upgrade; "" ""; }',
        )


def _where(one: Pass) -> str:
    """Return where it is, as a person finds it."""
    location = next((outer for outer in reversed(one.place.above) if outer.name == "location"), None)
    inside = f"location {' '.join(location.args)}: " if location else ""
    return f"{inside}{one.place.directive.name} to {one.service}"


def _is_upstream(one: Directive) -> bool:
    return one.name == "upstream" and bool(one.args)


def _servers(upstream: Directive | None) -> list[str]:
    return [word for one in (upstream.block or () if upstream else ()) for word in one.args]


def _seconds(args: list[str]) -> float:
    """Return the seconds of one of nginx's times, such as 1h 30m; one that it would not take is endless."""
    parts = re.findall(r"([0-9]+)(ms|[smhd]?)", "".join(args))
    return sum(int(number) * _SECONDS[unit] for number, unit in parts) if parts else float("inf")


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))
