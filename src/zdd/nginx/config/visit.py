"""
Which request reaches a service as a visitor sends it: host, path, port, TLS and PROXY protocol.

Candidates come from the server blocks and locations around what leads to the service; each is followed through the
text as nginx would, and only one that arrives counts. What files there are, what apps and other servers answer and
what `if` finds beyond the request itself, the text does not say: they are taken to change nothing. So a visit is the
request to prove the arrival by, and no proof.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from zdd.conf import hosts
from zdd.conf.services import GRPC_HEALTH, Service
from zdd.nginx.config import location, server, target
from zdd.nginx.config.listen import Visit
from zdd.nginx.config.parse import Directive, Place
from zdd.nginx.config.request import Answer, Request, follow
from zdd.nginx.config.request_path import decoded, encoded
from zdd.nginx.config.server import Door
from zdd.nginx.config.target import Pass

_MOST = 50  # paths that are tried in a server block


class Unknown(enum.StrEnum):
    """Why no request is known that reaches a service; `value` goes on after "the gate cannot ask SERVICE: "."""

    NOWHERE = "no server block of http leads to it"
    VARIABLE = "only proxy_pass with a variable of unknown value may lead to it"
    PATTERN = "only regular expressions lead to it, of names or of paths"
    OWN_ANSWER = "nginx answers by itself before (return or rewrite)"
    ACCESS = "nginx asks for a password or a certificate, or refuses this machine"
    NOT_HTTP1 = "its server block listens for QUIC or HTTP/2 alone"
    HIDDEN = "another server block or location takes its requests"


class Wish(NamedTuple):
    """
    What the configuration says to ask a service for, if anything: it is tried first.

    A host that a server block names is what visitors ask for, so no other one is asked for, wherever it leads. With
    `always` that holds for the path, too: where nginx answers such a request by itself, its answer is what counts.
    With `grpc` the request is a call.
    """

    host: str | None = None
    path: str | None = None
    always: bool = False
    grpc: bool = False


def wishes(services: Mapping[str, Service]) -> dict[str, Wish]:
    """Return what to ask each service for that is asked through nginx: no workers; classic ones with a health_path."""
    return {
        name: _wish(service)
        for name, service in services.items()
        if (service.health_path if service.kind == "classic" else not service.is_worker)
    }


def _wish(service: Service) -> Wish:
    host, calls = service.health_host or hosts.asked(service.host), service.protocol == "grpc"
    return Wish(host, GRPC_HEALTH if calls else service.health_path, service.kind == "classic", calls)


def find(text: list[Directive], wishes: Mapping[str, Wish], named: bool, port: int = 80) -> dict[str, Visit | Unknown]:
    """
    Return for each service a request that reaches it, or why none is known.

    `text` is the whole configuration, with services in it as for `target.passes`; `port` as for `server.servers`.
    TLS is preferred where a server block speaks it, as what comes without is often only redirected there.
    """
    all_passes = target.passes(text, wishes, named)
    doors = server.doors(server.servers(text, port))
    has_open = any(place.is_http() for place in target.open_passes(text))
    found: dict[str, Visit | Unknown] = {}
    for name, wish in wishes.items():
        own = [way for way in all_passes if way.service == name and way.place.is_http()]
        outcome = _find(name, wish, doors, own)
        outcome = Unknown.VARIABLE if outcome is Unknown.NOWHERE and has_open else outcome
        found[name] = outcome if isinstance(outcome, Unknown) else replace(outcome, grpc=wish.grpc)
    return found


def guesses(text: list[Directive], wishes: Mapping[str, Wish], port: int) -> dict[str, Visit]:
    """Return a request for services that no server block leads to: nginx's error for it shows that they are lost."""
    doors = server.doors(server.servers(text, port))
    first = next((door for door in doors if door.listen.speaks_http1), None)
    if first is None:
        return {}
    return {
        name: replace(_visit(name, first, wish.host or "localhost", wish.path or "/"), guess=True, grpc=wish.grpc)
        for name, wish in wishes.items()
    }


def _find(name: str, wish: Wish, doors: Sequence[Door], ways: list[Pass]) -> Visit | Unknown:
    reasons: list[Unknown] = []
    near = _doors_to(doors, ways)
    named = [door for door in server.naming(doors, wish.host or "") if door.listen.speaks_http1]
    for door in near:
        if not door.listen.speaks_http1:
            reasons.append(Unknown.NOT_HTTP1)
            continue
        for host in [wish.host] if named and wish.host else server.asked(door.server, wish.host):
            for asked, path in _paths(door, wish, ways):
                outcome = _outcome(doors, door, host, path, ways)
                if outcome is None:
                    return _visit(name, door, host, asked)
                reasons.append(outcome)
    if named and wish.host:
        return _visit(name, named[0], wish.host, wish.path or "/")
    best = next((door for door in near if door.listen.speaks_http1), None)
    if wish.always and wish.path and best:
        return _visit(name, best, server.asked(best.server, wish.host)[0], wish.path)
    # The best reason is the one that came nearest to an arrival.
    order = (Unknown.ACCESS, Unknown.VARIABLE, Unknown.OWN_ANSWER, Unknown.PATTERN, Unknown.HIDDEN, Unknown.NOT_HTTP1)
    return next((reason for reason in order if reason in reasons), Unknown.NOWHERE)


def _visit(name: str, door: Door, host: str, path: str) -> Visit:
    where = door.listen
    return Visit(name, where.address, host, path, where.tls, where.proxy_protocol, where.unix)


def _doors_to(doors: Sequence[Door], ways: list[Pass]) -> list[Door]:
    """Return the ways into the server blocks around these places: TLS first, the PROXY protocol and sockets last."""
    blocks = [outer for way in ways for outer in way.place.above if outer.name == "server"]
    own = [door for door in doors if any(door.server.place.directive is block for block in blocks)]
    return sorted(own, key=lambda door: (door.listen.unix is not None, door.listen.proxy_protocol, not door.listen.tls))


def _paths(door: Door, wish: Wish, ways: list[Pass]) -> Iterator[tuple[str, str]]:
    """Yield the paths to try, as a request spells them and as nginx compares them: the wish, those around, all."""
    if wish.path:
        yield wish.path, decoded(wish.path)
    if wish.path and wish.always:
        return
    here = door.server.place.directive
    around = [
        outer
        for way in ways
        if any(outer is here for outer in way.place.above)
        for outer in way.place.above
        if outer.name == "location"
    ]
    near = [path for outer in reversed(around) for path in location.paths(Directive("", [], [outer]))]
    for path in list(dict.fromkeys([*near, *location.paths(here), "/"]))[:_MOST]:
        yield encoded(path), path


def _outcome(doors: Sequence[Door], door: Door, host: str, path: str, ways: list[Pass]) -> Unknown | None:
    """Return why this request does not reach the service, None if it does."""
    answers = server.answering(doors, door, host)
    if answers is None:
        return Unknown.PATTERN
    if answers is not door.server:
        return Unknown.PATTERN if all(name.startswith("~") for name in door.server.names) else Unknown.HIDDEN
    try:
        end = follow(Request(host, decoded(path), door.listen), door.server)
    except location.Unclear:
        return Unknown.PATTERN
    if end is Answer.ITSELF:
        return Unknown.OWN_ANSWER
    if end is Answer.REFUSED:
        return Unknown.ACCESS
    if isinstance(end, Place):
        mine = [way for way in ways if way.place.directive is end.directive]
        if mine:
            return None if mine[0].sure else Unknown.VARIABLE
    return Unknown.PATTERN if _only_by_pattern(ways) else Unknown.HIDDEN


def _only_by_pattern(ways: list[Pass]) -> bool:
    locations = [around for way in ways if (around := way.place.enclosing("location"))]
    return bool(locations) and all(around.args[:1] and around.args[0].startswith("~") for around in locations)
