"""An instance that a keeper runs: any app with `run`, on the keeper's socket, its own, a port, or none."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from zdd.conf.services import RunService
from zdd.errors import UsageError
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.instances import keeper_start, orphan, spec
from zdd.instances.driver import Driver, Launch, Question, Times
from zdd.instances.fixed_port import fixed_port
from zdd.instances.health.probe import Probe
from zdd.instances.health.verdict import Health
from zdd.instances.spec import KEEPER_TIMEOUT
from zdd.instances.state import InstanceState, supervised
from zdd.keeper import access, client
from zdd.keeper.record import Record
from zdd.paths import Paths

_POLL, _STARTING = 0.01, 0.002  # seconds; a keeper takes some 20 ms to start, and a look for it 20 us


class SupervisedInstance(Driver):
    """One instance of a service with `run`: its keeper does the work; of a dead keeper, this class the last duties."""

    def __init__(self, name: str, service: RunService, paths: Paths, commands: Commands, clock: Clock) -> None:
        self.name = name
        self.paths = paths
        self.commands = commands
        self.clock = clock
        self.control = paths.control_socket(name)
        self.lease: client.Lease | None = None
        self._started: Process | None = None
        self.service: RunService = service

    @cached_property
    def probe(self) -> Probe:
        """
        What proves that it is healthy, as when it started.

        Made before the app starts, to notice the kernel's kills. Most drivers only pass something on and need none.
        """
        service = spec.as_started(self.service, self._record())
        return Probe(self.name, service, self.paths, self.commands, self.clock)

    def problem(self) -> str:
        """Return why the instance is not healthy yet, as of the last attempt."""
        return self.probe.why_not_yet()

    def launch(self, launch: Launch) -> None:
        """Start the keeper, which starts the app unless that must wait. Raises UsageError for an unknown user."""
        _ = self.probe
        record = spec.record_of(self.name, self.service, self.paths, launch)
        self._started = keeper_start.start(record, self.service, self.paths, self.commands.log)

    def attach(self, interrupt: Callable[[], None]) -> None:
        """
        Take a lease: the keeper ends when this process does, unless the instance was switched to.

        Attach soon after `launch`: a keeper without a lease ends after 10 s.
        """
        _ = self.probe
        for _ in self.clock.poll(_STARTING, self.clock.now() + KEEPER_TIMEOUT, interrupt):
            with contextlib.suppress(client.Gone):
                self.lease = self.lease or client.Lease(self.control)
                return
            if client.has_died(self.paths.pids(self.name)) or (self._started and not self._started.alive()):
                raise self.probe.failed(client.KILLED)
        raise self.probe.failed(f"nobody answers for it on {self.control}")

    def await_healthy(self, interrupt: Callable[[], None], until: float = math.inf) -> Health:
        """Return once health_command succeeds, the health request is answered, or a worker has lived min_uptime."""
        return self.probe.await_healthy(self.lease, interrupt, until)

    def ask_once(self, interrupt: Callable[[], None] = lambda: None) -> str | None:
        """Ask once whether the instance is healthy; return what is wrong, None if nothing is known to be."""
        return self.probe.ask_once(interrupt)

    def state(self) -> InstanceState:
        """Return the instance's state now."""
        return supervised(self.paths, self.name)

    def has_ended(self) -> bool:
        """Return whether its keeper has told, since the last call, that its app has ended; asks nobody."""
        return any(event["event"] == "exit" for event in (self.lease.events() if self.lease else ()))

    def others_on_port(self) -> tuple[str | None, str | None]:
        """Return which program of another user's, and which of root's, listens on the port that should be the app's."""
        status = self._ask("status")
        return status.get("stranger"), status.get("program_of_root")

    def long_lived(self) -> int:
        """Count the connections that have been open for so long that they may never end."""
        return int(self._ask("status").get("long_lived", 0))

    def pause(self, seconds: float) -> bool:
        """Hold requests for at most this long; return whether the instance can."""
        return bool(self._ask("pause", seconds=seconds).get("ok"))

    def resume(self) -> bool:
        """Release held requests; return whether the instance was paused."""
        return bool(self._ask("resume").get("ok"))

    def park(self, at_most: float, fallback: bool) -> str | None:
        """
        Drain and stop the app, but keep the instance's place; return at once, with the reason if it cannot be.

        An app whose keeper died is stopped for good.
        """
        drain = min(self._times().drain_timeout, at_most)
        answer = self._ask("rest", drain=drain, way_back=fallback)
        if not answer:
            self._drain_and_finish(drain, [])
            return None
        going = answer["ok"] or answer.get("state") in ("draining", "stopping")
        return None if going else str(answer.get("error"))

    def await_parked(self, interrupt: Callable[[], None]) -> int:
        """Wait until the app has stopped; return how many connections were cut. Raises TimeoutError."""
        for _ in self.clock.poll(_POLL, self.clock.now() + self._longest_stop(), interrupt):
            status = self._ask("status", brief=True)
            if status.get("state") not in ("draining", "stopping"):
                return int(status.get("cut", 0))
        raise TimeoutError(f"{self.name} cannot be stopped, not even by SIGKILL")

    def unpark(self) -> bool:
        """Start the app of a parked or held instance; return whether it runs, or will."""
        if self.lease:
            self.lease.events()  # how the app ended before is no sign of how it starts
        answer = self._ask("start")
        return bool(answer["ok"]) if answer else client.pids(self.paths.pids(self.name)).app is not None

    def revive(self) -> bool:
        """Make a warm instance serve again; return False if it is too late for that."""
        return bool(self._ask("unretire").get("ok"))

    def retire(self, warm: float, workers: Sequence[Process]) -> None:
        """
        Keep the instance warm for some seconds, drain it and stop it; return at once.

        Without a keeper, drain and stop the app here, and wait for its end.
        """
        asked = self.retirement(warm, workers).args
        if not self._ask("retire", **asked):
            self._drain_and_finish(asked["drain"], workers)

    def retirement(self, warm: float, workers: Sequence[Process]) -> Question:
        """Return what `retire` asks the keeper."""
        pairs = [[worker.pid, worker.start_time] for worker in workers]
        return Question(self.control, {"warm": warm, "drain": self._times().drain_timeout, "workers": pairs})

    def renew(self, times: Times) -> None:
        """
        Let today's times hold for the instance, also for what it has begun.

        They are written to its record where the keeper is dead, or of an earlier zdd, which does not know how.
        """
        record = None if spec.has_times(self.paths.record(self.name), times) else self._record()
        if record is None:
            return
        with contextlib.suppress(UsageError):
            if self._ask("times", warm=times.warm, drain=times.drain, stop=times.stop).get("ok"):
                return
        record.keep_warm, record.drain_timeout, record.stop_timeout = times.warm, times.drain, times.stop
        record.write()

    def admit(self, users: Sequence[int]) -> None:
        """
        Let these users connect to the instance, and no others but the app's own.

        A keeper that does not know how, or is dead, leaves it to us; then it holds until its app is restarted.
        """
        record = self._record()
        if record and not self._ask("access", users=list(users)).get("ok"):
            access.grant(record, users)
            record.write()

    def discard(self, workers: Sequence[Process] | None) -> None:
        """Undo the start: tell the keeper to stop, after draining if requests may have come. It stays able to do so."""
        if workers is not None:
            self.retire(0.0, workers)
        elif not self._ask("stop"):
            self._finish()

    def await_discarded(self, seconds: float) -> bool:
        """Wait at most this long until the instance has ended; return whether it has."""
        if not self._is_gone_within(seconds):
            return False
        self._finish()
        return True

    def await_gone(self, until: float) -> None:
        """Wait until a retired instance has ended; stop one that has not at the moment `until`."""
        if not self._is_gone_within(min(self._longest_stop(), until - self.clock.now())):
            self.stop()
        self._finish()

    def stop(self) -> None:
        """Stop the instance without draining; return when it is gone."""
        if self._ask("stop"):
            self._is_gone_within(self._times().stop_timeout + KEEPER_TIMEOUT)
        self._finish()

    def must_end(self) -> str | None:
        """Return why the next version may not start before this instance has ended; None if it may."""
        if self.service.order == "stop-first":
            return "two versions of it never run at once"
        port = fixed_port(self.paths.pids(self.name))
        return f"it still has port {port}, which the next version may need" if port else None

    def ends_within(self) -> float:
        """Return the seconds after which a discarded instance is killed."""
        drain = self._times().drain_timeout if self._ask("status", brief=True).get("state") == "draining" else 0.0
        return drain + self._times().stop_timeout

    def _finish(self) -> None:
        """End what a dead keeper left behind. First kill one that is alive but does not answer: it would restart."""
        orphan.end(self.paths, self.name, self._times().stop_timeout, self.clock)

    def _drain_and_finish(self, seconds: float, workers: Sequence[Process]) -> None:
        """Do the last duties of a dead keeper: drain and stop the app."""
        orphan.drain(self.paths, self.name, seconds, workers, self.clock)
        self._finish()

    def _is_gone_within(self, seconds: float) -> bool:
        return any(not self._ask("status", brief=True) for _ in self.clock.poll(_POLL, self.clock.now() + seconds))

    def _ask(self, op: str, **args: Any) -> dict[str, Any]:
        """Return the keeper's answer, empty if the keeper is gone."""
        try:
            return client.ask(self.control, op, **args)
        except client.Gone:
            return {}

    def _record(self) -> Record | None:
        return Record.find(self.paths.record(self.name))

    def _times(self) -> Record | RunService:
        """Return what knows drain_timeout and stop_timeout: what the instance was started with, if that is left."""
        return self._record() or self.service

    def _longest_stop(self) -> float:
        return self._times().drain_timeout + self._times().stop_timeout + KEEPER_TIMEOUT
