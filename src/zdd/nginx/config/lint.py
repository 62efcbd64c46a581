"""What loses requests, or surprises later, in an nginx text that the user wrote."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from zdd.conf.services import Service
from zdd.finding import Finding, error, warning
from zdd.nginx.config import pool
from zdd.nginx.config import version as versions
from zdd.nginx.config.mark import HEADER, PLACEHOLDER, Mark
from zdd.nginx.config.parse import Directive, at
from zdd.nginx.config.target import Pass, inside
from zdd.nginx.config.template import Mentions
from zdd.nginx.config.version import Version

_BOUNDS = "keepalive_time 60ms; keepalive_timeout 60ms;"
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


def hidden(passes: list[Pass], mark: Mark) -> Iterator[Finding]:
    """Yield the places whose answers do not show the mark, so that no deploy can prove that visitors reach them."""
    for passing in passes:
        headers = [directive.args[0] for directive in passing.place.inherited("add_header") if directive.args]
        merged = any(directive.args == ["merge"] for directive in passing.place.inherited("add_header_inherit"))
        if passing.place.is_http() and HEADER not in headers and not merged:
            own = bool(headers)
            yield _at(
                passing.place.directive,
                warning(
                    f"{_where(passing)}: {'add_header there hides' if own else 'nothing shows'} which version answers",
                    "a deploy cannot prove that visitors get the new version",
                    mark.header() if own else f"{{{PLACEHOLDER}}} inside http {{ }}",
                ),
            )


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
    elif pool.tail(passing.upstream, version) is None:
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
