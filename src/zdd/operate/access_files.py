"""The files of the access log: where it is, and its rotation."""

from __future__ import annotations

import os
import re
import stat

from zdd.conf.schema import Config
from zdd.host import reopen, rotation
from zdd.nginx import own_log
from zdd.paths import Paths
from zdd.project import Project
from zdd.routing import publishes

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_BEGINNING = 1 << 16  # bytes in which the first whole line is looked for
_TIME = rb'(?m)^\{"msec":"([0-9]{1,12}\.[0-9]{3})"'


def log_of(config: Config, paths: Paths) -> str | None:
    """
    Return the path of the log, None if there is none or zdd does not know it.

    What zdd's own nginx has logged can be read although it no longer logs.
    """
    given = config.nginx.access_log
    if given is not True:
        return given or None
    if config.nginx.owner is None and os.path.lexists(paths.access_log):
        return paths.access_log
    return own_log.path_of(config, paths)


def tend(project: Project) -> bool:
    """
    Rotate the log of zdd's own nginx, whoever logs today, and drop publishes that are older than all logs.

    Return whether the rotation is done; else the next call goes on with it.
    """
    paths = project.paths
    is_done = reopen.rotate(paths.access_log, project.config.zdd.log_max)
    log = log_of(project.config, paths)
    publishes.prune(paths.publishes, _oldest(log) if log else None)
    return is_done


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
                found = re.search(_TIME, os.read(fd, _BEGINNING))
            finally:
                os.close(fd)
            if found:
                return float(found[1])
    return None
