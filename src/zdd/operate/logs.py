"""What instances have printed: their logs, read as one."""

from __future__ import annotations

import datetime
import heapq
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from zdd.conf.schema import RunService
from zdd.errors import UsageError
from zdd.host import files, rotation
from zdd.paths import Paths
from zdd.project import Project

_ISO = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?\d*\s?(Z|[+-]\d\d:?\d\d)?")
_CLF = re.compile(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}")
_WHERE = 100  # characters at the beginning of a line in which a time is looked for


class Line(NamedTuple):
    """One line of an instance's log; `time`, of time.time(), is that of the line or of the one before it."""

    time: float
    instance: str
    text: str


def find(paths: Paths, services: Collection[str]) -> dict[str, list[str]]:
    """Return the instances of each of these services that have a log, the oldest first."""
    found: dict[str, list[int]] = {service: [] for service in services}
    for name in os.listdir(paths.logs) if os.path.isdir(paths.logs) else ():
        match = re.fullmatch(r"(.+)-([0-9]+)\.log", name)
        if match and match[1] in found:
            found[match[1]].append(int(match[2]))
    return {service: [f"{service}-{number}" for number in sorted(numbers)] for service, numbers in found.items()}


def wanted(project: Project, found: Mapping[str, list[str]]) -> dict[str, str]:
    """Return, with their states, the instances that serve and, where they do not, each service's newest."""
    states = {name: one.state for name, one in project.instances.running().items() if one.state != "dead"}
    current = project.tables.current()
    serving = current.instances if current else {}
    return {
        name: states.get(name, "ended")
        for service, names in found.items()
        for name in names
        if name in serving or name in names[-count(project, service) :]
    }


def last(paths: Paths, instances: Collection[str], lines: int) -> list[Line]:
    """Return the last lines of each of these instances, in the order of their times."""
    read = [list(_dated(paths, name, _tail(paths.log(name), lines))) for name in instances]
    return list(heapq.merge(*read, key=lambda line: line.time))


def since(paths: Paths, instances: Collection[str], moment: float) -> Iterator[Line]:
    """
    Yield what these instances have printed since that moment, in the order of the times that the lines carry.

    A log whose lines carry none counts as printed at its last change.
    """
    logs = {name: paths.log(name) for name in instances}
    recent = [name for name, path in logs.items() if os.stat(path).st_mtime >= moment]
    read = [_dated(paths, name, _whole(logs[name])) for name in recent]
    return (line for line in heapq.merge(*read, key=lambda line: line.time) if line.time >= moment)


class Follower:
    """Yields what is printed from now on; what is there already of instances that come later, too."""

    def __init__(self, paths: Paths, services: Collection[str], instance: str | None) -> None:
        self.paths = paths
        self.services = services
        self.instance = instance
        self.shown = {name: files.size(paths.log(name)) for name in self._names()}

    def new(self) -> Iterator[Line]:
        """Yield the lines that are new since the last time; a line that is being written waits until it is whole."""
        for name in self._names():
            path, begin = self.paths.log(name), self.shown.get(name, 0)
            size = files.size(path)
            if size < begin:  # it was rotated: first what was still to be shown
                yield from _dated(self.paths, name, _read(rotation.older(path), begin))
                begin = 0
            if size > begin:
                whole = _read(path, begin)
                self.shown[name] = begin + len(whole)
                yield from _dated(self.paths, name, whole)

    def _names(self) -> list[str]:
        found = [name for names in find(self.paths, self.services).values() for name in names]
        return [name for name in found if self.instance in (None, name)]


def require(found: Mapping[str, list[str]], instance: str) -> None:
    """Raise UsageError for an instance that has no log."""
    names = [name for names in found.values() for name in names]
    if instance not in names:
        raise UsageError(f"{instance} has no log", hint=f"these have: {', '.join(names[-10:]) or 'none'}")


def time_of(text: str) -> float | None:
    """Return the time that a line of a log begins with, of time.time(); where it names no zone it is local."""
    head = text[:_WHERE]
    try:
        if found := _ISO.search(head):
            year, month, day, clock, fraction, zone = found.groups()
            moment = datetime.datetime.fromisoformat(f"{year}-{month}-{day}T{clock}.{(fraction or '0').ljust(6, '0')}")
            offset = datetime.datetime.strptime(zone, "%z").tzinfo if zone else None
            return moment.replace(tzinfo=offset).timestamp()
        if found := _CLF.search(head):
            return datetime.datetime.strptime(found[0], "%d/%b/%Y:%H:%M:%S %z").timestamp()
    except ValueError:
        pass
    return None


def count(project: Project, service: str) -> int:
    """Return how many instances a service has, as far as it is known."""
    found = project.config.services.get(service)
    return found.instances if isinstance(found, RunService) else 1


def _dated(paths: Paths, name: str, lines: Iterable[str] | bytes) -> Iterator[Line]:
    moment: float | None = None
    waiting: list[str] = []  # lines before the first one that carries a time
    for text in lines.decode(errors="replace").splitlines() if isinstance(lines, bytes) else lines:
        moment = time_of(text) or moment
        if moment is None:
            waiting.append(text)
        else:
            yield from (Line(moment, name, one) for one in [*waiting, text])
            waiting.clear()
    if waiting:
        changed = os.stat(paths.log(name)).st_mtime
        yield from (Line(changed, name, one) for one in waiting)


def _whole(path: str) -> Iterator[str]:
    for part in (rotation.older(path), path):
        if os.path.exists(part):
            with open(part, encoding="utf-8", errors="replace") as log:
                log.seek(rotation.data(log.fileno()))
                yield from (line.rstrip("\n").lstrip("\0") for line in log)


def _tail(path: str, lines: int) -> list[str]:
    found = [*files.tail(rotation.older(path), lines), *files.tail(path, lines)]
    return found[len(found) - min(lines, len(found)) :]


def _read(path: str, begin: int) -> bytes:
    """Return the whole lines from there on."""
    try:
        with open(path, "rb") as log:
            log.seek(begin)
            text = log.read()
    except FileNotFoundError:
        return b""
    return text[: text.rfind(b"\n") + 1]
