"""Which users may connect to an instance's sockets: nginx's workers. Keepers set it, the command line checks it."""

from __future__ import annotations

import os
import stat

from zdd.host import acl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from zdd.keeper.record import Record


def lacking(folder: str, socket: str, users: Sequence[int]) -> list[int]:
    """
    Return the users who cannot connect to where slots lead, a socket in an instance's folder.

    Empty while that is missing, which may be on purpose, or leads to a sibling, and for an instance that has none.
    """
    leads_here = os.path.lexists(socket) and not os.path.islink(socket)
    wanted = ((socket, acl.READ | acl.WRITE), (folder, acl.SEARCH)) if leads_here else ()
    return [user for user in users if user and not all(_has(path, user, bits) for path, bits in wanted)]


def grant(record: Record, users: Sequence[int]) -> None:
    """
    Let these users connect, and no others but the app's own; also to sockets that are made from now on.

    Every name is one that the keeper made, in a folder where the app cannot write; no link is followed all the same.
    """
    record.access = list(users)
    own = [] if record.uid is None else [record.uid]
    _set(record.folder, dict.fromkeys((*users, *own), acl.SEARCH))
    for path in (record.keep, record.waiting, record.socket):
        _set(path, dict.fromkeys(users, acl.READ | acl.WRITE))


def _set(path: str, users: dict[int, int]) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # there is no such socket now
        return
    try:
        if stat.S_ISLNK(os.fstat(fd).st_mode):  # it leads to a sibling, whose keeper lets the users connect
            return
        acl.allow(f"/proc/self/fd/{fd}", {user: bits for user, bits in users.items() if user != os.geteuid()})
    finally:
        os.close(fd)


def _has(path: str, user: int, bits: int) -> bool:
    try:
        status = os.lstat(path)
    except OSError:
        return True
    if status.st_uid == user:
        return (status.st_mode >> 6 & bits) == bits
    users, _ = acl.read(path)
    named = users.get(user)
    return (status.st_mode & bits) == bits if named is None else (named & status.st_mode >> 3 & bits) == bits
