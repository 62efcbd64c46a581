"""The users that nginx's workers run as, and the way that they have to the sockets."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence

from zdd.errors import UsageError
from zdd.host import reach


def uid_of(worker_user: str) -> int:
    """Return the number of the user that workers run as. Raises UsageError when there is no such user."""
    try:
        return pwd.getpwnam(worker_user).pw_uid
    except KeyError:
        raise UsageError(f"nginx's workers run as user {worker_user!r}, who does not exist") from None


def usual() -> str | None:
    """Return the user that distributions make for nginx, None if there is none here."""
    for name in ("www-data", "nginx"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return None


def first_unsearchable_folder(path: str, users: Sequence[int]) -> tuple[str, str] | None:
    """Return a folder on the way to the path that one of these users cannot search, and that user."""
    for uid in users:
        try:
            user = pwd.getpwuid(uid)
            name, groups = user.pw_name, os.getgrouplist(user.pw_name, user.pw_gid)
        except KeyError:
            name, groups = str(uid), []
        if folder := reach.first_unsearchable_folder(path, uid, groups):
            return folder, name
    return None
