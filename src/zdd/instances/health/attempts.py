"""Health requests: one attempt, and attempts until the instance is healthy or the time is up."""

from __future__ import annotations

import os
from collections.abc import Callable

from zdd.conf.services import GRPC_HEALTH, Service
from zdd.host import netlink, one_socket
from zdd.host.clock import Clock
from zdd.host.light import socket
from zdd.instances.health import request
from zdd.instances.health.request import Address, Request
from zdd.instances.health.verdict import Verdict, host_of, judge

_TELLING = 0.5  # seconds an attempt needs before its timeout means anything
_POLL = 0.01  # seconds between attempts to connect; a connect to nothing costs microseconds
# After a bad answer. An app that becomes healthy is found so late by at most a tenth of what it took to start, and by
# 0.2 s; one that logs its requests gets 40 lines in the first 2 s, then five a second.
_LATE, _LONGEST_POLL = 10, 0.2


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
    verdict of each attempt that failed, and what is known of one that takes long.
    """
    last: Verdict | None = None
    begun = clock.now()
    pause, took = _POLL, 0.0
    for _ in clock.poll(lambda: pause, deadline, interrupt):  # noqa: B023  (the pause as it is then)
        asked = clock.now()
        if last and deadline - asked <= took:  # the app would only log that whoever asked has hung up
            continue
        patience = _Patience(address, service, deadline, clock, note)
        verdict = _attempt(address, service, patience, interrupt)
        if verdict.healthy:
            return verdict
        last = last if last and patience.was_cut_short() else verdict
        note(last)
        now = clock.now()
        took = min(now - asked, _TELLING) if now < patience.until else 0.0
        pause = min(max(_POLL, (now - begun) / _LATE), _LONGEST_POLL) if verdict.taken else _POLL
    interrupt()  # an app that ended meanwhile says more
    return last or verdict


def ask_once(address: Address, service: Service, clock: Clock, interrupt: Callable[[], None]) -> str | None:
    """Send one health request; return what is wrong, None if the instance is healthy. `interrupt` may raise."""
    patience = _Patience(address, service, clock.now() + service.health_timeout, clock)
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
    """
    How long one attempt may still take; with a keeper's socket, until the deadline while it waits in the queue.

    `note` gets one verdict while an attempt takes long.
    """

    def __init__(
        self,
        address: Address,
        service: Service,
        deadline: float,
        clock: Clock,
        note: Callable[[Verdict], None] | None = None,
    ) -> None:
        self.path = address if isinstance(address, str) else None  # until the app has accepted there
        self.waits = service.kind == "fd" and note is not None
        self.inode: int | None = None  # of our end of the connection
        self.service = service
        self.deadline = deadline
        self.clock = clock
        self.note = note
        self.begun = self.since = clock.now()
        self.until = deadline if self.waits else min(deadline, self.since + service.health_timeout)

    def connected(self, connection: socket.socket) -> None:
        """Note the connection, which waits in the queue until the app accepts it."""
        self.inode = os.fstat(connection.fileno()).st_ino

    def left(self) -> float:
        """Return the seconds left."""
        if self.path and self.inode and self._is_accepted(self.inode):
            self.path = None
            if self.waits:
                self.since = self.clock.now()
                self.until = min(self.deadline, self.since + self.service.health_timeout)
        if self.note and self.clock.now() >= self.begun + _TELLING:
            tell, self.note = self.note, None
            tell(self._unanswered("and is not answered yet"))
        return self.until - self.clock.now()

    def was_cut_short(self) -> bool:
        """Return whether the common deadline cut the attempt so short that the one before it says more."""
        return self.until - self.since < min(_TELLING, self.service.health_timeout) and self.left() <= 0

    def verdict(self) -> Verdict:
        """Return the verdict of an attempt whose time is up."""
        return self._unanswered(f"but not answered within {round(self.until - self.since, 1):g} s")

    def _unanswered(self, words: str) -> Verdict:
        service = self.service
        if self.path:
            longer = f"if it only starts slowly, raise start_timeout (now {service.start_timeout:g} s)"
            return Verdict(False, f"nothing accepts connections on {self.path}", longer, taken=False)
        done = "sent" if service.kind == "tcp" else "accepted"  # by the kernel, before the app accepts
        longer = f"if it is only slow, raise health_timeout (now {service.health_timeout:g} s)"
        return Verdict(False, f"{_asked(service)} was {done}, {words}", longer)

    def _is_accepted(self, inode: int) -> bool:
        """Return whether the app has accepted the connection, as far as the kernel tells."""
        try:
            return bool(one_socket.is_accepted(inode))
        except netlink.Unavailable:
            if self.waits:
                raise
            return True


def _met(address: Address, error: OSError) -> str:
    where = f"127.0.0.1:{address}" if isinstance(address, int) else address
    if isinstance(error, FileNotFoundError):
        return f"nothing is at {where}"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens on {where}"
    return f"{where}: {error.strerror or error}"
