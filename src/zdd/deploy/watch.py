"""Watch the old instances drain: how many connections each still has, and how many were cut in the end."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from zdd import kills
from zdd.errors import counted
from zdd.events import Drain
from zdd.instances.state import ORPHANED, InstanceState
from zdd.keeper import client, survey
from zdd.keeper.record import Record
from zdd.project import Project
from zdd.routing.manifest import Manifest

_POLL = 0.1  # seconds between looks, if no keeper tells anything sooner
_SOON = 1.0  # seconds until the first line about an instance without connections
_STOPPING = 10.0  # seconds for which a stopping app is watched: a worker may need an hour to finish its job
_KILLED = 10.0  # seconds that the end may take after stop_timeout, on a busy machine


class Drained(Struct, frozen=True):
    """
    How many connections of the old instances ended by themselves, had to be cut, and were handed on to the new ones.

    `killed` are the instances that did not stop in time.
    """

    ended: int = 0
    cut: int = 0
    handed: int = 0
    killed: tuple[str, ...] = ()

    def plus(self, other: Drained) -> Drained:
        """Return the sums."""
        ended, cut, handed = self.ended + other.ended, self.cut + other.cut, self.handed + other.handed
        return Drained(ended, cut, handed, self.killed + other.killed)


class DrainWatch:
    """
    Watches one instance that is being retired. Made before the instance is retired, so that no event is missed.

    Instances that are kept warm, and classic ones, get one line and are not watched further.
    """

    def __init__(self, project: Project, running: InstanceState) -> None:
        self.project, self.running = project, running
        self.control = project.paths.control_socket(running.name)
        self.lease = None if running.classic else self._listen()
        self._last = 0
        self._report_at = project.clock.now() + _SOON
        self._stopping_since = 0.0
        self._begun = time.time()

    def gone(self) -> Drained | None:
        """Report the end if its keeper has; return how the draining ended, None if nothing came yet."""
        if self.lease is None:
            return self._report("stopping" if self.running.classic else "gone")
        for event in self.lease.events():
            if event["event"] == "gone":
                return self._gone(event["drained"], event["cut"], event.get("handed", 0), event["seconds"])
        return None

    def look(self, status: dict[str, Any] | None, way_back: str) -> Drained | None:
        """
        Report what is new in the keeper's answer. Return how the draining ended, None while there is more to watch.

        The number of connections is not in the answer of one that is warm.
        """
        if status is None:
            return self._without_keeper() if self.lease is None or self.lease.ended else None
        now = self.project.clock.now()
        if status["state"] == "warm":
            return self._report(f"kept warm, for `{way_back}`")
        if status["state"] == "stopping":
            self._stopping_since = self._stopping_since or now
            return self._still_stopping(status, now - self._stopping_since)
        if status["connections"] != self._last or now >= self._report_at:
            self._last, self._report_at = status["connections"], math.inf
            self._report(f"draining, {counted(self._last, 'connection')}", connections=self._last)
        return None

    def close(self) -> None:
        """Stop watching."""
        if self.lease:
            self.lease.close()

    def _listen(self) -> client.Lease | None:
        try:
            return client.Lease(self.control)
        except (client.Gone, OSError):  # OSError: with a thousand instances, we may run out of descriptors
            return None

    def _without_keeper(self) -> Drained:
        """Report that the keeper was killed, or could not report the end any more."""
        runs_on = self.project.instances.look(self.running.name).state == ORPHANED
        cure = "`zddeploy recover`, or the next deploy, ends it"
        return self._report(f"its keeper has died and its app runs on: {cure}" if runs_on else "gone")

    def _gone(self, ended: int, cut: int, handed: int, seconds: float) -> Drained:
        """Report that the instance has ended."""
        service = self.project.config.services.get(self.running.service)
        if service and service.is_worker:
            text = "stopped"
        elif cut:
            text = f"stopped after {seconds:.1f} s; {_cut(cut)}, {ended} had ended"
        else:
            text = f"drained in {seconds:.1f} s" + (f": {counted(ended, 'connection')}" if ended else "")
        text += f"; {_handed(handed)}" if handed else ""
        return self._report(text, connections=0, drained=ended, cut=cut, handed=handed, seconds=seconds)

    def _still_stopping(self, status: dict[str, Any], waited: float) -> Drained | None:
        """
        Report that the app needs long to stop. It is left to finish its work, and no longer watched.

        Return None while its end is worth waiting for: it may come soon, if only because the app is killed.
        """
        if waited < min(_STOPPING, _KILLED):  # whatever its stop_timeout is
            return None
        record = Record.find(self.project.paths.record(self.running.name))
        seconds = record.stop_timeout if record else 0.0
        if waited < (_STOPPING if seconds > _STOPPING else seconds + _KILLED):
            return None
        ended, cut = status.get("drained", 0), status.get("cut", 0)  # keepers of earlier versions do not send them
        handed = status.get("handed", 0)
        text = f"was told to stop and is still working; it is killed after {seconds:g} s (stop_timeout)"
        text += f"; {_cut(cut)}" if cut else ""
        text += f"; {_handed(handed)}" if handed else ""
        return self._report(text, connections=status["connections"], drained=ended, cut=cut, handed=handed)

    def _report(self, text: str, **fields: Any) -> Drained:
        name, fields = self.running.name, {key: value for key, value in fields.items() if key != "handed" or value}
        if kill := kills.of(self.project.paths.kills, name, self._begun):
            text, fields["killed_after"] = f"{text}; killed: {kill.reason}", kill.after
        event = Drain(subject=name, service=self.running.service, text=text, **fields)
        self.project.events.send(event)
        return Drained(event.drained or 0, event.cut or 0, event.handed or 0, (name,) if kill else ())


def watch(project: Project, target: Manifest, watches: Sequence[DrainWatch]) -> Drained | None:
    """
    Report how the old instances drain until all have ended, or take long to stop; return the sums.

    A signal ends the watching, and nothing else: the result is then unknown, so None.
    """
    total = Drained()
    pending = list(watches)
    while pending:
        if signal := project.interrupts.last:
            _stop_watching(project, target, pending, signal)
            return None
        begun = project.clock.now()
        outcomes = {drain: outcome for drain in pending if (outcome := drain.gone()) is not None}
        outcomes |= _look([drain for drain in pending if drain not in outcomes], _rollback_command(target))
        for drain, outcome in outcomes.items():
            drain.close()
            total = total.plus(outcome)
        pending = [drain for drain in pending if drain not in outcomes]
        if pending:
            project.clock.sleep(project.clock.now() - begun)  # with many instances, looking takes half of the time
            _await_news(pending)
    return total


def _look(pending: Sequence[DrainWatch], way_back: str) -> dict[DrainWatch, Drained]:
    """Ask all keepers how it goes on, and those that are not warm also for their connections, which costs more."""
    answers = survey.where(drain.control for drain in pending)
    warm = {path: answer for path, answer in answers.items() if answer["state"] == "warm"}
    answers = warm | survey.counted({path: answer for path, answer in answers.items() if path not in warm})
    looks = {drain: drain.look(answers.get(drain.control), way_back) for drain in pending}
    return {drain: outcome for drain, outcome in looks.items() if outcome is not None}


def _await_news(pending: Sequence[DrainWatch]) -> None:
    """Wait until a keeper tells something, or for a moment."""
    news = select.poll()
    for drain in pending:
        if drain.lease and not drain.lease.ended:
            news.register(drain.lease, select.POLLIN)
    news.poll(1000 * _POLL)


def _stop_watching(project: Project, target: Manifest, pending: Sequence[DrainWatch], signal: str) -> None:
    names = ", ".join(drain.running.name for drain in pending)
    verb = "drains by itself" if len(pending) == 1 else "drain by themselves"
    project.events.notice(f"{signal}: {target.action} {target.deploy} is done; the old version ({names}) {verb}")
    for drain in pending:
        drain.close()


def _cut(number: int) -> str:
    return f"{counted(number, 'connection')} {'was' if number == 1 else 'were'} cut"


def _handed(number: int) -> str:
    return f"{counted(number, 'connection')} that waited {'was' if number == 1 else 'were'} handed on"


def _rollback_command(target: Manifest) -> str:
    """Return the command that restores the replaced version; after a rollback it needs the deploy's number."""
    return f"zddeploy rollback {target.before}" if target.action == "rollback" else "zddeploy rollback"
