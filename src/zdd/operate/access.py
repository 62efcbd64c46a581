"""The lines of a project's access log, with the instances that have answered."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator

from zdd.errors import UsageError
from zdd.host import clock, files, json_lines, rotation
from zdd.nginx import addresses, own_log, words
from zdd.nginx.access_log import Reader, Request
from zdd.nginx.config import pool
from zdd.nginx.config import version as versions
from zdd.nginx.config.access import AccessFormat
from zdd.nginx.timeline import Timeline
from zdd.operate.access_files import log_of, open_plain
from zdd.project import Project

Wanted = Callable[[Request], bool]

_TRIES = 5
_BLOCK, _MOST = 1 << 16, 1 << 25  # bytes that are read at once, and at most for the last lines
_LONGEST = 1 << 20  # bytes of a line
_LATE = 5.0  # seconds for which nginx may still write into a log that was renamed


def require(project: Project) -> str:
    """Return the path of the log. Raises UsageError, with what to write, if there is none."""
    if path := log_of(project.config, project.paths):
        return path
    nginx = project.config.nginx
    if nginx.access_log is False:
        raise UsageError("nginx logs no requests: access_log is false in [nginx]", hint="leave it out, and deploy")
    for finding in own_log.missing(project.config):
        raise UsageError(finding.what, hint=finding.fix)
    if nginx.owner is None:
        raise UsageError("nginx logs no requests, because it serves none: there are only workers")
    mark = words.mark_of(project.paths)
    form = AccessFormat(mark.name, mark=mark)
    lines = "\n".join([form.log("/var/log/nginx/NAME.log"), form.header()])
    raise UsageError(
        "nginx logs as your own server block says, and zdd does not know where",
        hint=f'put this into that block, and access_log = "/var/log/nginx/NAME.log" into [nginx]:\n{lines}',
    )


def reader(project: Project) -> Reader:
    """Return what finds the instances of lines that were logged until now."""
    paths, begun = project.paths, time.time()
    offset = begun - time.clock_gettime(time.CLOCK_BOOTTIME)
    for _ in range(_TRIES):
        now = project.tables.published()
        lines = list(json_lines.read(paths.publishes))
        if project.tables.published() == now:  # else there was a switch meanwhile
            break
    timeline = Timeline(lines, now, clock.boot_id()[:8], offset, until=begun)
    return Reader(timeline, addresses.beginnings(paths.current)[0], _tail(project), paths.releases)


def _tail(project: Project) -> float:
    """Return for how many seconds pooled connections may lead to old instances; infinite without a bound."""
    nginx, paths = project.config.nginx, project.paths
    try:
        version = project.proxy.binary.version
    except UsageError:
        version = versions.POOLS_BY_DEFAULT
    text = files.read(str(nginx.include or paths.nginx_conf), "replace") or ""
    tail = pool.longest(text, version, addresses.beginnings(paths.current))
    return math.inf if tail is None else tail


def last(project: Project, path: str, wanted: Wanted, lines: int) -> list[Request]:
    """Return the last requests that are wanted, in the order of the log; of each part at most 32 MiB are read."""
    known, found = reader(project), list[Request]()
    for part in (path, rotation.older(path)):
        for line in _backwards(part):
            if len(found) >= lines:
                return found[::-1]
            if (request := known.read(line)) and request.time <= known.timeline.until and wanted(request):
                found.append(request)
    return found[::-1]


def since(project: Project, path: str, wanted: Wanted, moment: float) -> Iterator[Request]:
    """Yield the wanted requests since that moment, in the order of the log."""
    known = reader(project)
    for part in (rotation.older(path), path):
        requests = filter(None, map(known.read, _forwards(part)))
        in_time = (request for request in requests if moment <= request.time <= known.timeline.until)
        yield from filter(wanted, in_time)


class Follower:
    """Yields the requests that come from now on, also over rotations."""

    def __init__(self, project: Project, path: str, wanted: Wanted) -> None:
        self.project, self.path, self.wanted = project, path, wanted
        self._files: list[_Followed] = []
        self._look(from_end=True)

    def new(self) -> Iterator[Request]:
        """Yield the requests that are new since the last call."""
        self._look(from_end=False)
        if lines := [line for file in self._files for line in file.lines()]:
            requests = map(reader(self.project).read, lines)  # it must know all publishes that were before the lines
            yield from (request for request in requests if request and self.wanted(request))

    def _look(self, from_end: bool) -> None:
        """Open a new file at the path, and close one that nobody writes any more."""
        now = self.project.clock.now()
        try:
            inode = os.stat(self.path).st_ino
        except OSError:
            inode = None
        is_new = inode is not None and inode not in [file.inode for file in self._files]
        if is_new and (fd := open_plain(self.path)) is not None:
            for file in self._files:
                file.until = min(file.until, now + _LATE)
            self._files.append(_Followed(fd, from_end))
        for file in [file for file in self._files if file.until < now]:
            os.close(file.fd)
            self._files.remove(file)


class _Followed:
    """An open file and how far it was read; it is read `until` a moment of the clock."""

    def __init__(self, fd: int, from_end: bool) -> None:
        status = os.fstat(fd)
        self.fd, self.inode, self.until = fd, status.st_ino, math.inf
        self._offset = status.st_size if from_end else 0

    def lines(self) -> list[bytes]:
        """Return the whole lines that are new; after its file was emptied, from the beginning."""
        if os.fstat(self.fd).st_size < self._offset:
            self._offset = 0
        data = os.pread(self.fd, _MOST, self._offset)
        whole = data[: data.rfind(b"\n") + 1] if len(data) < _MOST or b"\n" in data else data
        self._offset += len(whole)
        return whole.splitlines()


def _forwards(path: str) -> Iterator[bytes]:
    """Yield the lines of a file, without holes in it, which its owner can make as large as they like."""
    if (fd := open_plain(path)) is None:
        return
    try:
        position, rest = 0, b""
        while data := os.pread(fd, _BLOCK, position):
            *lines, rest = (rest + data).split(b"\n")
            yield from lines
            rest = rest if len(rest) <= _LONGEST else b""
            position = os.lseek(fd, position + len(data), os.SEEK_DATA)
    except OSError:  # no data follows
        pass
    finally:
        os.close(fd)


def _backwards(path: str) -> Iterator[bytes]:
    """Yield the lines of a file, the last one first."""
    if (fd := open_plain(path)) is None:
        return
    try:
        size = os.fstat(fd).st_size
        end, rest = size, b""
        while end > max(0, size - _MOST):
            begin = max(0, end - _BLOCK)
            first, *lines = (os.pread(fd, end - begin, begin) + rest).split(b"\n")
            yield from reversed(lines)
            end, rest = begin, first if len(first) <= _LONGEST else b""
        if end == 0:
            yield rest
    finally:
        os.close(fd)
