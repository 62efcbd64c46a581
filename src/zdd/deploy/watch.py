"""Watching old instances go: how many connections each still has, and how many were cut in the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from zdd.conf.schema import RunService
from zdd.errors import counted
from zdd.events import Drain
from zdd.instances.kept import Kept
from zdd.instances.state import InstanceState
from zdd.keeper import client
from zdd.project import Project

_POLL = 0.1
_SOON = 1.0  # seconds after which somebody who watches wonders
_STOPPING = 10.0  # so long an app that was told to stop is watched: a worker may need an hour for what it is at


class Drained(NamedTuple):
    """How many connections of the old instances ended by themselves, and how many had to be cut."""

    ended: int = 0
    cut: int = 0


class DrainWatch:
    """
    An instance that is let go, and our ear at it; made before it is told to go, so that nothing of it is missed.

    Instances that are kept warm, and classic ones, are only told of: they need no watching.
    """

    def __init__(self, project: Project, running: InstanceState) -> None:
        self.project, self.running = project, running
        self.control = f"{project.paths.control}/{running.name}.sock"
        self.lease = None if running.classic else self._listen()
        self._last = 0
        self._wonder_at = project.clock.now() + _SOON
        self._stopping = 0.0

    def look(self) -> Drained | None:
        """Tell what is new; returns how it ended once there is nothing more to be told."""
        if self.lease is None:
            return self._tell("stopping" if self.running.classic else "gone")
        for event in self.lease.events():
            if event["event"] == "gone":
                return self._over(event["drained"], event["cut"], event["seconds"])
        try:
            status = client.ask(self.control, "status")
        except client.Gone:
            return self._tell("gone") if self.lease.ended else None
        now = self.project.clock.now()
        if status["state"] == "warm":
            return self._tell(f"kept warm, for `{_way_back(self.project)}`")
        if status["state"] == "stopping":
            self._stopping = self._stopping or now
            return self._left(status) if now - self._stopping >= _STOPPING else None
        if status["connections"] != self._last or now >= self._wonder_at:
            self._last, self._wonder_at = status["connections"], math.inf
            self._tell(f"draining, {counted(self._last, 'connection')}", connections=self._last)
        return None

    def close(self) -> None:
        """Listen no more."""
        if self.lease:
            self.lease.close()

    def _listen(self) -> client.Lease | None:
        try:
            return client.Lease(self.control)
        except (client.Gone, OSError):  # OSError: of a thousand instances, there are no descriptors for all
            return None

    def _over(self, ended: int, cut: int, seconds: float) -> Drained:
        """It is gone."""
        service = self.project.config.services.get(self.running.service)
        if isinstance(service, RunService) and service.socket == "none":
            words = "stopped"
        elif cut:
            words = f"stopped after {seconds:.1f} s; {_cut(cut)}, {ended} had ended"
        else:
            words = f"drained in {seconds:.1f} s" + (f": {counted(ended, 'connection')}" if ended else "")
        return self._tell(words, connections=0, drained=ended, cut=cut, seconds=seconds)

    def _left(self, status: dict[str, Any]) -> Drained:
        """It was told to stop, and has not: it is left to finish what it is at."""
        ended, cut = status.get("drained", 0), status.get("cut", 0)  # a keeper of an earlier zdd does not say
        seconds = Kept(self.running.name, self.project.paths, self.project.clock).record().get("stop_timeout", 0.0)
        words = f"was told to stop and is still at work; it may take {seconds:g} s" + (f"; {_cut(cut)}" if cut else "")
        return self._tell(words, connections=status["connections"], drained=ended, cut=cut)

    def _tell(self, words: str, **fields: Any) -> Drained:
        event = Drain(subject=self.running.name, service=self.running.service, text=words, **fields)
        self.project.events.send(event)
        return Drained(event.drained or 0, event.cut or 0)


def watch(project: Project, leaving: Sequence[DrainWatch]) -> Drained:
    """Tell how the old instances drain until they are gone. Those that take long to stop after that are left to it."""
    ended = cut = 0
    while leaving:
        found = [(one, one.look()) for one in leaving]
        for one, outcome in found:
            if outcome is not None:
                one.close()
                ended, cut = ended + outcome.ended, cut + outcome.cut
        leaving = [one for one, outcome in found if outcome is None]
        project.clock.sleep(_POLL if leaving else 0)
    return Drained(ended, cut)


def _cut(number: int) -> str:
    return f"{counted(number, 'connection')} {'was' if number == 1 else 'were'} cut"


def _way_back(project: Project) -> str:
    """Return the command that brings the replaced version back; a mere rollback goes further back after a rollback."""
    current = project.tables.current()
    number = f" {current.before}" if current and current.action == "rollback" else ""
    return f"zddeploy rollback{number}"
