"""The lines of a project's access log, with the instances that have answered."""

from __future__ import annotations

import itertools
import math
import os
import time
from collections.abc import Callable, Iterator

from zdd.errors import UsageError
from zdd.host import clock, files, json_lines
from zdd.nginx import addresses, own_log, words
from zdd.nginx.access_log import Folders, Reader, Request
from zdd.nginx.config import pool
from zdd.nginx.config import version as versions
from zdd.nginx.config.access import AccessFormat
from zdd.nginx.timeline import Timeline
from zdd.operate.access_files import log_of
from zdd.operate.access_parts import Parts
from zdd.project import Project

Wanted = Callable[[Request], bool]

_TRIES = 5


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
    return Reader(timeline, addresses.beginnings(paths.current)[0], _tail(project), _folders(project))


def _folders(project: Project) -> Folders:
    """Return where nginx finds files, by the paths without links that it logs."""
    static = {name: os.path.normpath(service.static) for name, service in project.config.static.items()}
    return Folders(os.path.realpath(project.paths.releases), os.path.realpath(project.paths.static), static)


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


def last(project: Project, parts: Parts, wanted: Wanted, lines: int) -> list[Request]:
    """Return the last requests that are wanted, in the order of the log; of each part at most 32 MiB are read."""
    requests = filter(wanted, filter(None, map(reader(project).read, parts.backwards())))
    return list(itertools.islice(requests, lines))[::-1]


def since(project: Project, parts: Parts, wanted: Wanted, moment: float) -> Iterator[Request]:
    """Yield the wanted requests since that moment, in the order of the log."""
    requests = filter(None, map(reader(project).read, parts.forwards()))
    return (request for request in requests if request.time >= moment and wanted(request))


def new(project: Project, parts: Parts, wanted: Wanted) -> Iterator[Request]:
    """Yield the requests that have come since the last call."""
    if lines := parts.new():
        requests = map(reader(project).read, lines)  # it must know all publishes that were before the lines
        yield from (request for request in requests if request and wanted(request))
