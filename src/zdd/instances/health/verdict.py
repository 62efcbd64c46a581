"""Whether an instance is healthy: what its answers mean, and the wait for a healthy one."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from zdd.conf import hosts
from zdd.conf.kinds import ProtocolName
from zdd.conf.services import GRPC_HEALTH, RunService, Service
from zdd.conf.units import Statuses
from zdd.host import one_socket
from zdd.host.clock import Clock
from zdd.instances.health import request
from zdd.instances.health.request import Address, Answer, Request

_TELLING = 0.5  # seconds an attempt needs before its timeout means anything
_SHOWN = 200  # characters of a Location
_POLL = 0.01  # seconds between attempts to connect; a connect to nothing costs microseconds
HAS_A_LOG = "the app can say why in its log; Django, with DEBUG off, does so if LOGGING has a console handler"
_NO_LOGIN = "else health_path must name a path that needs no login"
_HAS_NO = "the app has no %s, and health_path must name a path that it has"
# What frameworks answer to a host that they do not serve: Rails, Django, Starlette, Flask, Vite, ASP.NET.
_NAMES_HOST = r"(?i)blocked host|invalid (?:http_)?host|disallowedhost|allowed_?hosts|host\b.{0,60}not allowed"
# After a bad answer. An app that becomes healthy is found so late by at most a tenth of what it took to start, and by
# 0.2 s; one that logs its requests gets 40 lines in the first 2 s, then five a second.
_LATE, _LONGEST_POLL = 10, 0.2


class Health(NamedTuple):
    """A healthy instance: on which port it listens (None with a UNIX socket), and what to note, if anything."""

    port: int | None
    notice: str


class Verdict(NamedTuple):
    """
    Whether one attempt found the instance healthy.

    `words` say why not, or what the yes rests on. `hint` may fix a no. `taken` says that the app accepted the
    connection.
    """

    healthy: bool
    words: str
    hint: str | None = None
    taken: bool = True


class Asked(msgspec.Struct):
    """How an instance's health is checked, by the names of the settings."""

    health_path: str | None
    health_status: Statuses
    health_host: str
    health_command: str | None
    protocol: ProtocolName = "http"

    @classmethod
    def by(cls, service: RunService) -> Asked:
        """Return how the health of this service's instances is checked."""
        host, command = host_of(service), service.health_command
        return cls(service.health_path, service.health_status, host, command, service.protocol)


def host_of(service: Service) -> str:
    """Return the Host header of the health request: health_host, else the first name routed to it, else localhost."""
    return service.health_host or hosts.asked([name for name in service.host if "*" not in name]) or "localhost"


def judge(answer: Answer, service: Service) -> Verdict:
    """Compare the answer with `health_status`; without a `health_path` any status under 500 is healthy."""
    path = service.health_path or "/"
    said = f"GET {path} was answered {answer.status}" + (
        f" (Location: {answer.location[:_SHOWN]})" if answer.location else ""
    )
    if service.health_path is None and answer.status < 500:
        return Verdict(True, f"no health_path set: {said}, taken as healthy")
    if service.health_path and service.health_status.allows(answer.status):
        return Verdict(True, "")
    wanted = f", wanted {service.health_status}" if service.health_path else ""
    excerpt = f": {answer.excerpt}" if answer.excerpt else ""
    return Verdict(False, f"{said}{wanted}{excerpt}", _advice(answer, path, service))


def _advice(answer: Answer, path: str, service: Service) -> str | None:
    """Return what usually fixes such an answer."""
    host = host_of(service)
    wants_host = f"health_host must be one of them (now {host})" if service.health_host else "set health_host"
    asked = f"asked was http://{host}{path} (Host: {host})"
    match answer.status:
        case status if status >= 400 and re.search(_NAMES_HOST, answer.excerpt):
            return f"{asked}, and the app serves other hosts only: {wants_host}"
        case 400 | 421:
            return f"{asked}: where an app serves certain hosts only (Django's ALLOWED_HOSTS), {wants_host}"
        case 401:
            return f"{asked}: health_path must name a path that needs no login"
        case 403:
            return f"{asked}: where an app blocks unknown hosts (Rails' config.hosts), {wants_host}; {_NO_LOGIN}"
        case 404:
            return f"{asked}: {_HAS_NO % path}; where an app serves several sites by their hosts, {wants_host}"
        case 500:
            return HAS_A_LOG
        case status if answer.location:
            return _redirected(answer.location, status, path, host)
        case status if 400 <= status < 500:
            return asked
    return None


def _redirected(location: str, status: int, path: str, host: str) -> str:
    from urllib.parse import urlsplit  # imported here: most deploys never need it

    try:
        target = urlsplit(location[:_SHOWN])
    except ValueError:  # such as http://[bad/
        return (
            f"the app redirects to {location[:80]!r}, which is no URL: health_path must name a path without a redirect"
        )
    if target.hostname not in (None, host):
        return f'it was asked as {host!r} and wants another name: health_host = "{target.hostname}"'
    if target.path not in ("", path):
        return f"health_path must name a path that answers by itself, perhaps {target.path}"
    return (
        "the app does not believe X-Forwarded-Proto, by which it is told of HTTPS: have it do so, "
        f'or health_status = "200-299,{status}"'
    )


def await_healthy(
    address: Address,
    service: Service,
    deadline: float,
    clock: Clock,
    interrupt: Callable[[], None],
    note: Callable[[Verdict], None],
) -> Verdict:
    """
    Ask until the instance is healthy, or until the deadline; return the last verdict.

    A keeper's socket (fd) listens before the app accepts: one request waits in its queue from the start, and
    health_timeout counts from the moment the app accepts it. `interrupt` and `note` may raise; `note` is given the
    verdict of each attempt that failed.
    """
    queue = str(address) if service.kind == "fd" else None
    last: Verdict | None = None
    begun = clock.now()
    pause = _POLL
    for _ in clock.poll(lambda: pause, deadline, interrupt):  # noqa: B023  (the pause as it is then)
        patience = _Patience(queue, service, deadline, clock)
        verdict = _attempt(address, service, patience, interrupt)
        if verdict.healthy:
            return verdict
        last = last if last and patience.was_cut_short() else verdict
        note(last)
        waited = clock.now() - begun
        pause = min(max(_POLL, waited / _LATE), _LONGEST_POLL) if verdict.taken else _POLL
    interrupt()  # an app that ended meanwhile says more
    return last or verdict


def ask_once(address: Address, service: Service, clock: Clock, interrupt: Callable[[], None]) -> str | None:
    """Send one health request; return what is wrong, None if the instance is healthy. `interrupt` may raise."""
    patience = _Patience(None, service, clock.now() + service.health_timeout, clock)
    verdict = _attempt(address, service, patience, interrupt)
    return None if verdict.healthy else verdict.words


def _attempt(address: Address, service: Service, patience: _Patience, interrupt: Callable[[], None]) -> Verdict:
    try:
        connection = request.connect(address, service.health_timeout, interrupt)
        patience.connected(connection)
        if service.protocol == "grpc":
            return _call(connection, service, patience.left, interrupt)
        answer = request.ask(
            connection, Request(service.health_path or "/", host_of(service)), patience.left, interrupt
        )
    except TimeoutError:
        return patience.verdict()
    except request.NotHttp as error:
        return Verdict(False, f"{_asked(service)}: {error}", error.hint)
    except (ConnectionResetError, BrokenPipeError):
        return Verdict(False, f"{_asked(service)}: {request.CLOSED}", request.EXPECTS_TLS)
    except OSError as error:
        return Verdict(False, _met(address, error), taken=False)
    return judge(answer, service)


def _call(
    connection: socket.socket, service: Service, left: Callable[[], float], interrupt: Callable[[], None]
) -> Verdict:
    from zdd.instances.health import grpc  # here, because few services speak it

    reply = grpc.ask(connection, host_of(service), left, interrupt)
    if problem := reply.problem:
        return Verdict(False, f"{_asked(service)} {problem}")
    return Verdict(True, reply.notice)


def _asked(service: Service) -> str:
    return GRPC_HEALTH.removeprefix("/") if service.protocol == "grpc" else f"GET {service.health_path or '/'}"


class _Patience:
    """How long one attempt may still take; while it waits in the queue of the socket, until the common deadline."""

    def __init__(self, queue: str | None, service: Service, deadline: float, clock: Clock) -> None:
        self.queue = queue
        self.inode: int | None = None  # of our end of the connection
        self.service = service
        self.deadline = deadline
        self.clock = clock
        self.since = clock.now()
        self.until = deadline if queue else min(deadline, self.since + service.health_timeout)

    def connected(self, connection: socket.socket) -> None:
        """Note the connection, which waits in the queue until the app accepts it."""
        self.inode = os.fstat(connection.fileno()).st_ino

    def left(self) -> float:
        """Return the seconds left."""
        if self.queue and self.inode and one_socket.is_accepted(self.inode):
            self.queue = None
            self.since = self.clock.now()
            self.until = min(self.deadline, self.since + self.service.health_timeout)
        return self.until - self.clock.now()

    def was_cut_short(self) -> bool:
        """Return whether the common deadline cut the attempt so short that the one before it says more."""
        return self.until - self.since < min(_TELLING, self.service.health_timeout) and self.left() <= 0

    def verdict(self) -> Verdict:
        """Return the verdict of an attempt whose time is up."""
        service = self.service
        if self.queue:
            longer = f"if it only starts slowly, raise start_timeout (now {service.start_timeout:g} s)"
            return Verdict(False, f"nothing accepts connections on {self.queue}", longer, taken=False)
        words = f"{_asked(service)} was accepted, but not answered within {round(self.until - self.since, 1):g} s"
        return Verdict(False, words, f"if it is only slow, raise health_timeout (now {service.health_timeout:g} s)")


def _met(address: Address, error: OSError) -> str:
    where = f"127.0.0.1:{address}" if isinstance(address, int) else address
    if isinstance(error, FileNotFoundError):
        return f"nothing is at {where}"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens on {where}"
    return f"{where}: {error.strerror or error}"
