"""The change that is under way: who makes it, what it is, and its events as they happen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import msgspec

from zdd import typed
from zdd.events import AnyEvent, Begin, Doing, Result, Step
from zdd.host import files, foreign, lock
from zdd.host.process import Process
from zdd.operate import logs
from zdd.project import Project
from zdd.typed import Damaged

_POLL = 0.1  # seconds between looks for new events


class UnderWay(msgspec.Struct):
    """
    A command that changes the project now; `since` is as of time.time().

    `deploy` is None until the deploy has its number; a `pause` never has one. `step` is the step that runs now.
    """

    deploy: int | None
    action: str
    who: str
    pid: int
    since: float
    step: str | None


class _Holder(msgspec.Struct):
    """What a command writes about itself into the lock that it holds."""

    who: str
    pid: Annotated[int, msgspec.Meta(gt=0, le=foreign.HIGHEST_PID)]
    command: str
    since: float
    last_deploy: float = math.inf


def look(project: Project) -> UnderWay | None:
    """Return the change that is under way, None if no command holds the project's lock."""
    if not lock.is_held(project.paths.lock):
        return None
    try:
        holder = msgspec.convert(files.read_object(project.paths.lock), _Holder)
    except msgspec.ValidationError:  # it has not written its name yet
        return None
    action = holder.command.partition(" ")[2] or "deploy"
    change = UnderWay(None, action, holder.who, holder.pid, holder.since, None)
    if file := _events_of(project, holder.last_deploy):
        begin, *events = file.new()
        change.deploy = begin.deploy if isinstance(begin, Begin) else None
        change.step = _step(events)
    return change


def follow(project: Project, change: UnderWay) -> Iterator[AnyEvent]:
    """Yield the events of a change, from the first one to its result, or until its process ends."""
    process = Process.find(change.pid)
    file: EventFile | None = None
    holder = files.read_object(project.paths.lock)
    last_deploy = holder.get("last_deploy", math.inf) if holder.get("pid") == change.pid else math.inf
    for _ in project.clock.poll(_POLL, math.inf):
        alive = process is not None and process.alive()  # checked before its last events are read
        file = file or _events_of(project, last_deploy)
        for event in file.new() if file else ():
            yield event
            if isinstance(event, Result):
                return
        if not alive:
            return


class EventFile:
    """A deploy's file of events. It may not exist yet, and its last line may be incomplete."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._offset = 0

    def new(self) -> Iterator[AnyEvent]:
        """Yield the events that were written since the last call. Skip unknown kinds, written by a later zdd."""
        while lines := logs.lines_from(self.path, self._offset):
            self._offset += len(lines)
            for line in lines.split(b"\n"):
                try:
                    event: AnyEvent = typed.decode(line, AnyEvent)  # type: ignore[arg-type]  # a union of types
                except Damaged:
                    continue
                yield event


def _events_of(project: Project, last_deploy: float) -> EventFile | None:
    """Return the events of the deploy that was begun after this last one, None before it has begun."""
    path = project.paths.deploy_events(deploy := project.paths.last_logged_deploy())
    has_begun = deploy > last_deploy and isinstance(next(EventFile(path).new(), None), Begin)
    return EventFile(path) if has_begun else None


def _step(events: list[AnyEvent]) -> str | None:
    """Return the name of the innermost step that runs now."""
    running: list[str] = []
    for event in events:
        match event:
            case Doing(step=step):
                running.append(step)
            case Step() if running:
                running.pop()
    return running[-1] if running else None
