"""What lies at the path where an app binds its socket, if its keeper does not take it for that socket."""

from __future__ import annotations

import os
import stat

from zdd.keeper.record import Record
from zdd.paths import Paths

ITS_USER = (
    "nginx is led to no socket of another user's: `user` in the configuration says who the app is, not sudo in run"
)


def no_socket(paths: Paths, name: str) -> str | None:
    """Say that what is at the path is no socket; None if it is one, or nothing is there."""
    status = _status(path := paths.app_socket(name))
    return f"{path} is no socket" if status and not stat.S_ISSOCK(status.st_mode) else None


def of_another_user(paths: Paths, name: str) -> str | None:
    """Say whose socket is at the path if it is not the app's user's: its keeper will never lead nginx there."""
    status = _status(path := paths.app_socket(name))
    record = Record.find(paths.record(name)) if status and stat.S_ISSOCK(status.st_mode) else None
    if status is None or record is None or record.uid in (None, status.st_uid):
        return None
    return f"{path} is a socket of user {status.st_uid}, and the app is user {record.uid}"


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None
