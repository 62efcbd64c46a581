"""What can be done with an instance, whatever its kind: a protocol that two classes follow, and the tests' fake."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from zdd.conf.services import Service
from zdd.host.process import Process
from zdd.instances.health.verdict import Health
from zdd.instances.state import InstanceState


class ProxySide(Struct, frozen=True):
    """What an instance must know of nginx: the users its workers run as, who need access, and its pid file."""

    users: list[int]
    pid_file: str


class Times(Struct, frozen=True):
    """How many seconds an instance is kept warm, drained, and given to stop, as configured today."""

    warm: float
    drain: float
    stop: float

    @classmethod
    def of(cls, service: Service) -> Times:
        """Return a service's times; a stop-first one has no version that could stay warm."""
        warm = service.keep_warm if service.order == "start-first" else 0.0
        return cls(warm, service.drain_timeout, service.stop_timeout)


class Launch(Struct, frozen=True):
    """
    What a new instance starts with.

    `folder` has the code of `release`. `predecessors` is None, or names the instances that must be parked before the
    app may start: then the app waits for `unpark`.
    """

    deploy: int
    release: str | None
    folder: str
    proxy: Callable[[], ProxySide]
    predecessors: Sequence[str] | None = None


class Question(Struct, frozen=True):
    """What a keeper is asked: on which control socket, and with which arguments."""

    control: str
    args: dict[str, Any]


class Driver(Protocol):
    """
    One instance.

    What only a keeper can do has the answer of an instance without one.
    """

    name: str
    service: Service

    def problem(self) -> str:
        """Return why the instance is not healthy yet, as of the last attempt."""

    def launch(self, launch: Launch) -> None:
        """Start the instance, without waiting for it. Raises UsageError for a user that does not exist."""

    def adopt(self) -> None:
        """Write the record of a serving instance that an earlier zdd started without a record, if there is one."""
        return

    def attach(self, interrupt: Callable[[], None]) -> None:
        """Make a new instance end with this process, until it is switched to. `interrupt` may raise."""
        return

    def await_healthy(self, interrupt: Callable[[], None], until: float = math.inf) -> Health:
        """
        Return once the instance is healthy.

        Raises InstanceFailed when it has ended, after start_timeout, or at the moment `until`.
        """

    def ask_once(self, interrupt: Callable[[], None] = lambda: None) -> str | None:
        """Ask once whether the instance is healthy; return what is wrong, None if nothing is known to be."""
        return None

    def state(self) -> InstanceState:
        """Return the instance's state now."""

    def has_ended(self) -> bool:
        """Return whether its keeper has told, since the last call, that its app has ended; asks nobody."""
        return False

    def others_on_port(self) -> tuple[str | None, str | None]:
        """Return which program of another user's, and which of root's, listens on the port that should be the app's."""
        return None, None

    def long_lived(self) -> int:
        """Count the connections that have been open for so long that they may never end."""
        return 0

    def pause(self, seconds: float) -> bool:
        """Hold requests for at most this long; return whether the instance can."""
        return False

    def resume(self) -> bool:
        """Release held requests; return whether the instance was paused."""
        return False

    def park(self, at_most: float, fallback: bool) -> str | None:
        """
        Drain and stop the app, but keep the instance's place; return at once, with the reason if it cannot be.

        Draining takes drain_timeout, and `at_most` this long. A `fallback` stays even when this process dies.
        """
        return "it has no keeper that could start it again"

    def await_parked(self, interrupt: Callable[[], None]) -> int:
        """Wait until the app has stopped; return how many connections were cut. Raises TimeoutError."""
        return 0

    def unpark(self) -> bool:
        """Start the app of a parked or held instance; return whether it runs, or will."""
        return False

    def revive(self) -> bool:
        """Make a warm instance serve again; return False if it is too late for that."""
        return False

    def retire(self, warm: float, workers: Sequence[Process]) -> None:
        """
        Keep the instance warm for some seconds, drain it and stop it; return at once.

        `workers` are nginx's workers of before a reload, which may still send it requests.
        """

    def retirement(self, warm: float, workers: Sequence[Process]) -> Question | None:
        """Return what `retire` asks the keeper, so that many are asked at once; None if there is no keeper."""
        return None

    def await_gone(self, until: float) -> None:
        """Wait until a retired instance has ended; stop one that has not at the moment `until`."""

    def renew(self, times: Times) -> None:
        """Let today's times hold for the instance, also for what it has begun."""
        return

    def admit(self, users: Sequence[int]) -> None:
        """Let these users connect to the instance, and no others but the app's own."""
        return

    def discard(self, workers: Sequence[Process] | None) -> None:
        """
        Undo the start: tell the instance to end and to leave nothing; return at once if it has a keeper.

        `workers` are nginx's workers that may still send it requests; it is drained first. None: it never got one.
        """

    def must_end(self) -> str | None:
        """Return why the next version may not start before this discarded instance has ended; None if it may."""
        return None

    def ends_within(self) -> float:
        """Return the seconds after which a discarded instance is killed."""
        return 0.0

    def await_discarded(self, seconds: float) -> bool:
        """Wait at most this long until a discarded instance has ended; return whether it has, and left nothing."""
        return True
