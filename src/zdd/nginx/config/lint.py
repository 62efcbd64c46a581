"""What loses requests, or surprises later, in an nginx text that the user wrote."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from zdd.conf.schema import Service
from zdd.finding import Finding, error, warning
from zdd.nginx.config import units
from zdd.nginx.config import version as versions
from zdd.nginx.config.parse import Directive, at
from zdd.nginx.config.target import Pass, inside
from zdd.nginx.config.template import Mentions
from zdd.nginx.config.version import Version

_SHORT = 5.0  # seconds for which a pooled connection may go on leading to an old instance
_BOUNDS = "keepalive_time 1s; keepalive_timeout 1s;"
_FEW = 1024  # worker_connections: a request takes two, and nginx's default is 512


class Served(NamedTuple):
    """A service as nginx sees it: its number of instances, and whether a link switches it, not a reload."""

    instances: int
    by_link: bool


def served(services: Mapping[str, Service]) -> dict[str, Served]:
    """Return the services that nginx sends requests to."""
    reached = {}
    for name, service in services.items():
        if service.kind == "classic":
            reached[name] = Served(1, by_link=False)
        elif not service.is_worker:
            reached[name] = Served(service.instances, by_link=service.kind != "tcp")
    return reached


def tail(upstream: Directive | None, version: Version) -> float | None:
    """
    Return for how many seconds after a switch an upstream's pool may still lead to the old instances.

    That is the sum of keepalive_time and keepalive_timeout; 0 without a pool; None for more than 5 s, or without a
    bound, or where the text does not say it in a way that nginx accepts.
    """
    if not _has_pool(upstream, version):
        return 0.0
    bounds = [_bound(upstream, name) for name in ("keepalive_time", "keepalive_timeout")]
    known = [bound for bound in bounds if bound is not None]
    total = sum(known)
    return total if len(known) == len(bounds) and total <= _SHORT else None


def tails(passes: list[Pass], version: Version) -> dict[str, float | None]:
    """Return the longest `tail` of each service among the upstreams that lead to it; None if one has no bound."""
    longest: dict[str, float | None] = {}
    for passing in passes:
        own, other = tail(passing.upstream, version), longest.get(passing.service, 0.0)
        longest[passing.service] = None if own is None or other is None else max(own, other)
    return longest


def names(mentions: Mentions, services: Collection[str]) -> Iterator[Finding]:
    """Yield the findings about the names in a template; `services` are those that nginx sends requests to."""
    for name in mentions.missing:
        yield error(f"the template has {{{name}}}, and no service {name}", "nginx refuses it", "correct the name")
    for name in mentions.unmentioned:
        if name in services:
            yield warning(f"the template does not mention {name}", "no request reaches it", f"use {{{name}.servers}}")


def unread(files: list[str], main: str) -> Iterator[Finding]:
    """Yield the findings about files that `main` includes, itself or through others, and that could not be read."""
    for file in dict.fromkeys(files):
        what = f"cannot read {file}, which {main} includes"
        yield warning(what, "what it says was not looked at", "look at it as root, and whether it includes itself")


def judge(
    text: list[Directive], version: Version, services: Mapping[str, Served], passes: list[Pass]
) -> Iterator[Finding]:
    """Yield the findings about a text; `passes` are its places that send requests to services."""
    yield from advise(passes, version, services)
    for directive in at(text, "events", "worker_connections"):
        few = directive.args[0]
        if few.isdecimal() and len(few) < 9 and int(few) < _FEW:
            yield _at(
                directive,
                warning(
                    f"worker_connections is {few}",
                    "a request takes two, and while requests are held beyond it even static files are not served",
                    "worker_connections 4096;",
                ),
            )


def advise(passes: list[Pass], version: Version, services: Mapping[str, Served]) -> list[Finding]:
    """Return the findings about such places. A finding is an error if deploys lose requests by it."""
    advice: list[Finding] = []
    for passing in passes:
        service, place = services[passing.service], passing.place
        advice += _pool(passing, version, service.by_link)
        if place.is_http():
            about_place = [*_retries(passing, service.instances), *_upgrade(passing)]
            advice += [_at(place.directive, finding) for finding in about_place]
    return list(dict.fromkeys(advice))


def _pool(passing: Pass, version: Version, by_link: bool) -> Iterator[Finding]:
    pools = [inner for inner in inside(passing.upstream) if inner.name == "keepalive"]
    name = passing.upstream.args[0] if passing.upstream else passing.service
    if len(pools) > 1:
        yield _at(
            pools[0],
            error(
                f"upstream {name}: keepalive is there twice",
                f"{{{passing.service}.servers}} has a keepalive with short bounds, and nginx refuses a second one",
                "leave keepalive, keepalive_time and keepalive_timeout out",
            ),
        )
    elif tail(passing.upstream, version) is None:
        unasked = f"nginx {versions.dotted(version)} pools unasked"
        yield _at(
            passing.upstream or passing.place.directive,
            Finding(
                "error" if by_link else "warning",
                f"upstream {name}: {'keepalive has no short bounds' if pools else unasked}",
                "pooled connections lead to the old instance until it stops; a POST on one is then answered 502",
                f"put {{{passing.service}.servers}} in the upstream, or keepalive 64; {_BOUNDS}",
            ),
        )


def _has_pool(upstream: Directive | None, version: Version) -> bool:
    by_default = "32" if version >= versions.POOLS_BY_DEFAULT and upstream else "0"
    return next((inner.args[:1] for inner in inside(upstream) if inner.name == "keepalive"), [by_default]) != ["0"]


def _bound(upstream: Directive | None, name: str) -> float | None:
    """Return the seconds that one of a pool's bounds says, None without a bound or with one that nginx refuses."""
    said = [inner.args for inner in inside(upstream) if inner.name == name]
    return units.seconds(said[-1][0]) if said and len(said[-1]) == 1 else None


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
    location = passing.place.enclosing("location")
    around = f"location {' '.join(location.args)}: " if location else ""
    return f"{around}{passing.place.directive.name} to {passing.service}"


def _at(directive: Directive, finding: Finding) -> Finding:
    """Return the finding with the file and the line of a directive before it, where they are known."""
    if not directive.spot.file:
        return finding
    return Finding(finding.level, f"{directive.spot}: {finding.what}", finding.why, finding.fix)
