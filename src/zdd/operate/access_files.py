"""The files of the access log: where it is, and its rotation."""

from __future__ import annotations

import os
import re
import stat

from zdd.conf.schema import Config
from zdd.host import reopen, rotation
from zdd.paths import Paths
from zdd.project import Project
from zdd.routing import publishes

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_BEGINNING = 1 << 16  # bytes in which the first whole line is looked for
_TIME = re.compile(rb'^\{"msec":"([0-9]{1,12}\.[0-9]{3})"', re.MULTILINE)


def log_of(config: Config, paths: Paths) -> str | None:
    """Return the path of the log, None if there is none or zdd does not know it."""
    given = config.nginx.access_log
    if given is True:
        return None if config.nginx.owner else paths.access_log
    return given or None


def tend(project: Project) -> None:
    """Rotate the log, begin with it where no keeper does, and drop publishes that are older than all logs."""
    path = log_of(project.config, project.paths)
    if path == project.paths.access_log:
        reopen.rotate(path, project.config.zdd.log_max)
    publishes.prune(project.paths.publishes, _oldest(path) if path else None)


def open_plain(path: str) -> int | None:
    """Open a plain file, None for anything else."""
    try:
        fd = os.open(path, _READ)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    return None


def _oldest(path: str) -> float | None:
    """Return the time of the oldest line, None if there is none."""
    for part in (rotation.older(path), path):
        if (fd := open_plain(part)) is not None:
            try:
                found = _TIME.search(os.read(fd, _BEGINNING))
            finally:
                os.close(fd)
            if found:
                return float(found[1])
    return None
