"""The change that somebody makes just now: who, what, and every event of it as it happens."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from zdd.events import AnyEvent, Begin, Doing, Result, Step
from zdd.host import files, lock
from zdd.host.process import Process
from zdd.project import Project

_POLL = 0.1  # seconds between looks for new events


class UnderWay(msgspec.Struct):
    """
    A command that changes the project now; `since` in seconds of time.time().

    `deploy` is None until it has a number, which `pause`, for one, never gets; `step` is what is being done.
    """

    deploy: int | None
    action: str
    who: str
    pid: int
    since: float
    step: str | None


def look(project: Project) -> UnderWay | None:
    """Return the change that is under way, None if nobody holds the project's lock."""
    if not lock.is_held(project.paths.lock):
        return None
    holder = files.read_object(project.paths.lock)
    try:
        held = msgspec.convert(holder, _Holder)
    except msgspec.ValidationError:  # it has not written yet who it is
        return None
    change = UnderWay(None, held.command.partition(" ")[2] or "deploy", held.who, held.pid, held.since, None)
    if file := _events_of(project, change):
        begin, *events = file.new()
        change.deploy = begin.deploy if isinstance(begin, Begin) else None
        change.step = _step(events)
    return change


def follow(project: Project, change: UnderWay) -> Iterator[AnyEvent]:
    """Yield the events of a change from its first on, as they happen, until its result or until its process ends."""
    process = Process.find(change.pid)
    file: EventFile | None = None
    while True:
        alive = process is not None and process.alive()  # looked at first: what it wrote before it ended is read below
        file = file or _events_of(project, change)
        for event in file.new() if file else ():
            yield event
            if isinstance(event, Result):
                return
        if not alive:
            return
        project.clock.sleep(_POLL)


class EventFile:
    """A deploy's file of events; it may not exist yet, and its last line may be torn."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._offset = 0

    def new(self) -> Iterator[AnyEvent]:
        """Yield the events that were written since the last call. One of a later zdd's kind is passed over."""
        text = (files.read(self.path) or "")[self._offset :]
        whole = text[: text.rfind("\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            try:
                yield msgspec.json.decode(line, type=AnyEvent)
            except msgspec.MsgspecError:
                continue


class _Holder(msgspec.Struct):
    who: str
    pid: int
    command: str
    since: float


def _events_of(project: Project, change: UnderWay) -> EventFile | None:
    """Return the events of the deploy that this change has begun, None while it has begun none."""
    deploy = max(project.paths.logged_deploys(), default=0)
    path = project.paths.deploy_events(deploy)
    begin = next(EventFile(path).new(), None)
    return EventFile(path) if isinstance(begin, Begin) and begin.started >= change.since else None


def _step(events: list[AnyEvent]) -> str | None:
    """Return what the innermost step that runs is called."""
    running: list[str] = []
    for event in events:
        match event:
            case Doing(step=step):
                running.append(step)
            case Step() if running:
                running.pop()
    return running[-1] if running else None
