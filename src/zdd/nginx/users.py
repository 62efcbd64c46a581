"""The users that nginx's workers run as, and the way that they have to the sockets."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Sequence

from zdd.errors import UsageError
from zdd.host import reach

_USUAL = ("www-data", "nginx")  # whom distributions make for it


def uid_of(worker_user: str) -> int:
    """Return the number of the user that workers run as. Raises UsageError when there is no such user."""
    try:
        return pwd.getpwnam(worker_user).pw_uid
    except KeyError:
        raise UsageError(f"nginx's workers run as user {worker_user!r}, who does not exist") from None


def of_workers(configured: str | None, compiled_in: Callable[[], str]) -> str:
    """Return the user that workers of root's nginx run as: the configured, else the distribution's, else that one."""
    return configured or next(filter(_exists, _USUAL), None) or compiled_in()


def first_unsearchable_folder(path: str, users: Sequence[int]) -> tuple[str, str] | None:
    """Return a folder on the way to the path that one of these users cannot search, and that user."""
    for uid in users:
        if folder := reach.first_unsearchable_folder(path, *identity(uid)):
            return folder, name(uid)
    return None


def identity(uid: int) -> tuple[int, list[int]]:
    """Return the user with the groups it is in; none for a user without an entry in passwd."""
    try:
        user = pwd.getpwuid(uid)
        return uid, os.getgrouplist(user.pw_name, user.pw_gid)
    except KeyError:
        return uid, []


def name(uid: int) -> str:
    """Return the user's name, or the number of one without an entry in passwd."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
