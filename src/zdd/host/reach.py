"""Whether another user gets to a folder, worked out from modes and access lists, without being that user."""

from __future__ import annotations

import os
from collections.abc import Collection

from zdd.host import acl


def barrier(path: str, uid: int, groups: Collection[int]) -> str | None:
    """
    Return the first existing folder on the way to `path` that the user may not search, None when there is none.

    What does not exist yet does not count: whoever makes it sees to that.
    """
    if uid == 0:
        return None
    way = os.path.realpath(path)
    folders = [way]
    while way != "/":
        way = os.path.dirname(way)
        folders.append(way)
    for folder in reversed(folders):
        if not os.path.isdir(folder):
            return None
        if not _may_search(folder, uid, groups):
            return folder
    return None


def _may_search(folder: str, uid: int, groups: Collection[int]) -> bool:
    """Decide as the kernel does (acl(5), "access check algorithm")."""
    found = os.stat(folder)
    if uid == found.st_uid:
        return bool(found.st_mode & 0o100)
    users, group_bits = acl.read(folder)
    mask = found.st_mode >> 3 & 7  # with an access list these bits are its mask
    if uid in users:
        return bool(users[uid] & mask & acl.SEARCH)
    named = group_bits or {None: mask}
    matching = [bits & mask for gid, bits in named.items() if (found.st_gid if gid is None else gid) in groups]
    if matching:
        return any(bits & acl.SEARCH for bits in matching)
    return bool(found.st_mode & acl.SEARCH)
