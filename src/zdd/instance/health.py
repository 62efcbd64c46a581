"""Whether an instance is healthy: what its answers mean, and waiting for the one that will do."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from zdd.conf.schema import ClassicService, RunService
from zdd.host import sock_diag
from zdd.host.clock import Clock
from zdd.instance import probe
from zdd.instance.probe import Address, Answer

_TELLING = 0.5  # seconds that an attempt must have had for its timeout to mean something
_POLL = 0.01  # seconds between attempts to connect; a connect to nothing costs microseconds


class Health(NamedTuple):
    """An instance is healthy: after how many seconds, on which port (None with a UNIX socket), and what to note."""

    seconds: float
    port: int | None
    notice: str | None


class Verdict(NamedTuple):
    """Whether an answer is that of a healthy instance; `words` explain a no, or note what a yes rests on."""

    healthy: bool
    words: str | None


class NotHealthy(Exception):  # noqa: N818  (a state, not a mistake)
    """The deadline has passed; the argument is what the last attempt met."""


def judge(answer: Answer, service: ClassicService | RunService) -> Verdict:
    """Compare the answer with `health_status`; without a `health_path` any status under 500 will do."""
    path = service.health_path or "/"
    said = f"GET {path} was answered {answer.status}" + (f" (Location: {answer.location})" if answer.location else "")
    if service.health_path is None:
        if answer.status < 500:
            return Verdict(True, f"no health_path set: {said}, taken as healthy")
        return Verdict(False, _with_excerpt(said, answer))
    if service.health_status.allows(answer.status):
        return Verdict(True, None)
    return Verdict(False, _with_excerpt(f"{said}, wanted {service.health_status}", answer))


def await_answer(
    address: Address,
    service: ClassicService | RunService,
    deadline: float,
    clock: Clock,
    interrupt: Callable[[], None],
    held: bool = False,
) -> str | None:
    """
    Ask until the answer is that of a healthy instance; returns what there is to note of it.

    `held` says that the socket listens already while the app does not accept yet: then one request waits in the queue
    from the start, and health_timeout counts from the moment the app takes it. `interrupt` raises when waiting became
    pointless. Raises NotHealthy at the deadline.
    """
    last: str | None = None
    while True:
        patience = _Patience(address if held and isinstance(address, str) else None, service, deadline, clock)
        verdict = _attempt(address, service, patience, interrupt)
        if verdict.healthy:
            return verdict.words
        interrupt()
        last = last if last and patience.was_cut_short() else verdict.words
        if clock.now() >= deadline:
            raise NotHealthy(last)
        clock.sleep(_POLL)


def ask_once(address: Address, service: ClassicService | RunService, clock: Clock) -> str | None:
    """Send one health request; returns what is wrong, None when the answer is that of a healthy instance."""
    patience = _Patience(None, service, clock.now() + service.health_timeout, clock)
    verdict = _attempt(address, service, patience, lambda: None)
    return None if verdict.healthy else verdict.words


def _attempt(
    address: Address, service: ClassicService | RunService, patience: _Patience, interrupt: Callable[[], None]
) -> Verdict:
    try:
        connection = probe.connect(address, service.health_timeout)
        host = service.health_host or "localhost"
        answer = probe.ask(connection, service.health_path or "/", host, patience.left, interrupt)
    except TimeoutError:
        return Verdict(False, patience.words())
    except (OSError, probe.NotHttp) as error:
        return Verdict(False, _met(address, error))
    return judge(answer, service)


class _Patience:
    """How long one attempt may still take: while it waits in a held queue, until the deadline of all."""

    def __init__(self, queue: str | None, service: ClassicService | RunService, deadline: float, clock: Clock) -> None:
        self.queue = queue
        self.service = service
        self.deadline = deadline
        self.clock = clock
        self.since = clock.now()
        self.until = deadline if queue else min(deadline, self.since + service.health_timeout)

    def left(self) -> float:
        """Return the seconds left."""
        if self.queue and not sock_diag.queued_on_listener(self.queue):
            self.queue = None
            self.since = self.clock.now()
            self.until = min(self.deadline, self.since + self.service.health_timeout)
        return self.until - self.clock.now()

    def was_cut_short(self) -> bool:
        """Tell whether the deadline of all came so soon that this attempt tells less than the one before it."""
        return self.until - self.since < min(_TELLING, self.service.health_timeout) and self.left() <= 0

    def words(self) -> str:
        path = self.service.health_path or "/"
        if self.queue:
            return f"nothing accepts connections on {self.queue}"
        return f"GET {path} was accepted, but not answered within {round(self.until - self.since, 1):g} s"


def _met(address: Address, error: Exception) -> str:
    where = f"127.0.0.1:{address}" if isinstance(address, int) else address
    if isinstance(error, FileNotFoundError):
        return f"nothing is at {where}"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens on {where}"
    reason = error.strerror if isinstance(error, OSError) else None
    return f"{where}: {reason or error}"


def _with_excerpt(said: str, answer: Answer) -> str:
    return f"{said}: {answer.excerpt}" if answer.excerpt else said
