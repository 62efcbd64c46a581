"""The output of the instances: their logs, merged into one."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from msgspec import Struct

from zdd.errors import UsageError
from zdd.host import files, rotation
from zdd.instances.name import name_of, parts_of
from zdd.paths import Paths
from zdd.project import Project

_ISO = r"(\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?)\d*\s?(Z|[+-]\d\d:?\d\d)?"
_CLF = r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"
_READ_FIRST, _READ_MOST = 1 << 16, 1 << 25  # bytes of a log's end
_LONGEST_LINE = 1 << 20  # bytes: an app can print without end, or make its log seem endless (ftruncate(2))
_HEAD = 100  # characters: a time is only searched for at the beginning of a line


class Line(Struct, frozen=True):
    """One line of an instance's log; `time` (as of time.time()) is its own or that of the line before it."""

    time: float
    instance: str
    text: str


def find(paths: Paths, services: Collection[str]) -> dict[str, list[str]]:
    """Return the instances of each service that have a log, oldest first."""
    logged: dict[str, list[int]] = {service: [] for service in services}
    for name in os.listdir(paths.logs) if os.path.isdir(paths.logs) else ():
        service, number = parts_of(name.removesuffix(".log")) or ("", 0)
        if service in logged and name.endswith(".log"):
            logged[service].append(number)
    return {service: [name_of(service, number) for number in sorted(numbers)] for service, numbers in logged.items()}


def wanted(project: Project, logged: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the states of the instances that serve, and of each service's newest ones even if they do not."""
    running = project.instances.running()
    states = {name: instance.state for name, instance in running.items() if instance.state != "dead"}
    current = project.tables.current()
    serving = current.instances if current else {}
    return {
        name: states.get(name, "ended")
        for service, names in logged.items()
        for name in names
        if name in serving or name in names[-count(project, service) :]
    }


def last(paths: Paths, instances: Collection[str], lines: int) -> list[Line]:
    """Return the last lines of each instance, in the order of their times."""
    logs = [_dated(paths, name, _tail(paths.log(name), lines)) for name in instances]
    return list(_merged(logs))


def since(paths: Paths, instances: Collection[str], moment: float) -> Iterator[Line]:
    """
    Yield what these instances have printed since that moment, in the order of the lines' times.

    Lines of a log without any times count as printed when the log was last changed.
    """
    recent = [name for name in instances if os.stat(paths.log(name)).st_mtime >= moment]
    logs = [_dated(paths, name, _whole(paths.log(name))) for name in recent]
    return (line for line in _merged(logs) if line.time >= moment)


def _merged(logs: Iterable[Iterable[Line]]) -> Iterator[Line]:
    from heapq import merge  # here, because a deploy only finds logs and reads none

    return merge(*logs, key=lambda line: line.time)


class Follower:
    """Yields what instances print from now on, and everything that later instances print."""

    def __init__(self, paths: Paths, services: Collection[str], instance: str | None) -> None:
        self.paths = paths
        self.services = services
        self.instance = instance
        self.shown = {name: files.size(paths.log(name)) for name in self._names()}

    def new(self) -> Iterator[Line]:
        """Yield the lines that are new since the last call; an incomplete line waits for its end."""
        for name in self._names():
            path, begin = self.paths.log(name), self.shown.get(name, 0)
            if files.size(path) < begin:  # it was rotated: first show the rest of the old file
                yield from _dated(self.paths, name, lines_from(rotation.older(path), begin))
                begin = 0
            lines = lines_from(path, begin)
            self.shown[name] = begin + len(lines)
            yield from _dated(self.paths, name, lines)

    def _names(self) -> list[str]:
        logged = find(self.paths, self.services)
        return [name for names in logged.values() for name in names if self.instance in (None, name)]


def require(logged: Mapping[str, list[str]], instance: str) -> None:
    """Raise UsageError if the instance has no log."""
    names = [name for names in logged.values() for name in names]
    if instance not in names:
        raise UsageError(f"{instance} has no log", hint=f"these have: {', '.join(names[-10:]) or 'none'}")


def time_of(text: str) -> float | None:
    """Return the time (as of time.time()) at the beginning of a log's line; without a zone it is local time."""
    head = text[:_HEAD]
    try:
        if match := re.search(_ISO, head):
            moment, zone = match.groups("")
            return datetime.datetime.fromisoformat(moment.replace("/", "-") + zone).timestamp()
        if match := re.search(_CLF, head):
            return datetime.datetime.strptime(match[0], "%d/%b/%Y:%H:%M:%S %z").timestamp()
    except ValueError:
        pass
    return None


def count(project: Project, service: str) -> int:
    """Return how many instances a service has; 1 if it is not configured any more."""
    configured = project.config.services.get(service)
    return configured.instances if configured else 1


def _dated(paths: Paths, name: str, lines: Iterable[str] | bytes) -> Iterator[Line]:
    """Yield the lines with their times; lines before the first time get that one."""
    moment: float | None = None
    waiting: list[str] = []  # lines before the first time
    for text in lines.decode(errors="replace").splitlines() if isinstance(lines, bytes) else lines:
        moment = time_of(text) or moment
        if moment is None:
            waiting.append(text)
        else:
            yield from (Line(moment, name, line) for line in [*waiting, text])
            waiting.clear()
    if waiting:
        changed = os.stat(paths.log(name)).st_mtime
        yield from (Line(changed, name, line) for line in waiting)


def _whole(path: str) -> Iterator[str]:
    for part in (rotation.older(path), path):
        if os.path.exists(part):
            with open(part, encoding="utf-8", errors="replace") as log:
                log.seek(rotation.data(log.fileno()))
                lines = iter(lambda: log.readline(_LONGEST_LINE), "")
                yield from (line.rstrip("\n").lstrip("\0") for line in lines)


def _tail(path: str, lines: int) -> list[str]:
    tail = [*_tail_of(rotation.older(path), lines), *_tail_of(path, lines)]
    return tail[len(tail) - min(lines, len(tail)) :]


def _tail_of(path: str, lines: int) -> list[str]:
    """Return the last lines of one file. They may be long, so more is read until there are enough, up to 32 MiB."""
    most = _READ_FIRST
    while len(tail := files.tail(path, lines + 1, most=most)) <= lines and most < min(files.size(path), _READ_MOST):
        most *= 8
    return tail[-lines:] if lines else []


def lines_from(path: str, offset: int) -> bytes:
    """
    Return the complete lines after this offset, at most a megabyte; none if the file does not exist yet.

    What is longer and has no end is returned as one line.
    """
    try:
        with open(path, "rb") as log:
            log.seek(offset)
            text = log.read(_LONGEST_LINE)
    except FileNotFoundError:
        return b""
    return text if len(text) == _LONGEST_LINE and b"\n" not in text else text[: text.rfind(b"\n") + 1]
