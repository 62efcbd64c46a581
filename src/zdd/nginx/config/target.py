"""Where a configuration sends requests to services: its `proxy_pass` and the like, through upstreams and variables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from zdd.nginx.config import upstream
from zdd.nginx.config.parse import Directive, Place, walk
from zdd.nginx.config.variables import Variables
from zdd.nginx.config.version import Version


class Pass(NamedTuple):
    """
    A place that sends requests to a service, through an upstream unless that is None.

    It is `sure` if all requests that come to the place go there: no variable has another value.
    """

    service: str
    place: Place
    upstream: Directive | None
    sure: bool = True


def mark(service: str) -> str:
    """Return a text in place of a service's addresses, by which `passes` finds the service."""
    return f"zdd~{service}~"


def marks(services: Iterable[str], version: Version) -> dict[str, str]:
    """Return the values that a template's placeholders have instead of addresses, each on one line."""
    values: dict[str, str] = {}
    for name in services:
        lines = upstream.servers([mark(name)], version)
        values |= {name: mark(name), f"{name}.servers": lines.replace("\n", " ")}
    return values


def passes(text: list[Directive], services: Collection[str], named: bool) -> list[Pass]:
    """Return where a text sends requests to services: to upstreams of their names (`named`), or to their marks."""
    places = [place for place in walk(text) if place.directive.args]
    upstreams = {
        (place.is_http(), place.directive.args[0]): place.directive
        for place in places
        if place.directive.name == "upstream"
    }
    variables = Variables(text)
    found = []
    for place in places:
        if is_pass(place.directive):
            targets = variables.values(place.directive.args[0], place)
            for target in sorted(targets or ()):
                group = upstreams.get((place.is_http(), host(target)))
                words = [target, *(word for inner in inside(group) for word in inner.args)]
                found += [
                    Pass(service, place, group, sure=len(targets or ()) == 1)
                    for service in services
                    if (named and service == host(target)) or any(mark(service) in word for word in words)
                ]
    return found


def is_pass(directive: Directive) -> bool:
    """Return whether the directive sends requests on, as proxy_pass does."""
    return directive.name.endswith("_pass") and bool(directive.args)


def host(target: str) -> str:
    """
    Return the host or the upstream in what a pass names.

    >>> host("http://web:80/x"), host("web")
    ('web', 'web')
    """
    return (target.partition("://")[2] or target).partition("/")[0].partition(":")[0]


def inside(group: Directive | None) -> list[Directive]:
    """Return what stands in an upstream."""
    return (group.block if group else None) or []


def open_passes(text: list[Directive]) -> Iterator[Place]:
    """Yield the places that send requests on to where a variable says, of which the text does not tell the value."""
    variables = Variables(text)
    for place in walk(text):
        if is_pass(place.directive) and variables.values(place.directive.args[0], place) is None:
            yield place
