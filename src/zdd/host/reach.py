"""Whether another user can reach a folder or change a file, derived from modes and access lists."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection

from zdd.host import acl, proc
from zdd.host.light import socket


def first_unsearchable_folder(path: str, uid: int, groups: Collection[int]) -> str | None:
    """
    Return the first existing folder on the way to `path` that the user may not search, None if there is none.

    Folders that do not exist yet do not count.
    """
    if uid == 0:
        return None
    for folder in _way(os.path.realpath(path)):
        if not os.path.isdir(folder):
            return None
        if not _may(folder, acl.SEARCH, uid, groups):
            return folder
    return None


def may_read(path: str, uid: int, groups: Collection[int]) -> bool:
    """Return whether the user may read the file, by its mode and access list; the way to it is not looked at."""
    return uid == 0 or _may(path, acl.READ, uid, groups)


def may_link(uid: int) -> bool:
    """
    Return whether we can make a hard link to a socket that this user owns, by trying it in a temporary folder.

    With fs.protected_hardlinks (proc_sys_fs(5)) this needs CAP_FOWNER, which a container's root may lack. If there is
    no temporary folder to write to, return True: the deploy will find out.
    """
    import tempfile  # here, because it imports much

    try:
        temporary = tempfile.TemporaryDirectory()
    except OSError:
        return True
    with temporary as folder, socket.socket(socket.AF_UNIX) as made:
        made.bind(f"{folder}/socket")
        os.chmod(f"{folder}/socket", 0o600)
        os.chown(f"{folder}/socket", uid, -1)
        try:
            os.link(f"{folder}/socket", f"{folder}/link")
        except PermissionError:
            return False
    return True


def may_chown() -> bool:
    """Return whether we have CAP_CHOWN in effect (capabilities(7))."""
    lines = proc.read("/proc/self/status").decode().splitlines()
    effective = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff:")), 0)
    return bool(effective & 1)  # CAP_CHOWN is number 0


def changeable(path: str, uid: int, gid: int) -> str | None:
    """
    Return the part of the path that a user other than root and this one may write or replace, None if there is none.

    A part is the file or a folder above it; links are resolved, too. Write permission of a group counts, except for the
    user's own group; the group's bits include an access list.
    """
    ways = dict.fromkeys((os.path.abspath(path), os.path.realpath(path)))
    return next((place for way in ways for place in _way(way) if _others_may_change(place, uid, gid)), None)


def _way(path: str) -> list[str]:
    way = [path]
    while way[-1] != "/":
        way.append(os.path.dirname(way[-1]))
    return way[::-1]


def _others_may_change(place: str, uid: int, gid: int) -> bool:
    try:
        status = os.lstat(place)
    except OSError:
        return False
    if status.st_uid not in (0, uid):
        return True
    if stat.S_ISLNK(status.st_mode):
        return False  # only its folder's owner can replace it
    writable = status.st_mode & (0o002 if status.st_gid in (0, gid) else 0o022)
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX  # only owners may rename its entries
    return bool(writable) and not sticky


def _may(path: str, bit: int, uid: int, groups: Collection[int]) -> bool:
    """Return whether the user has this permission, by the kernel's rules (acl(5), "access check algorithm")."""
    status = os.stat(path)
    if uid == status.st_uid:
        return bool(status.st_mode >> 6 & bit)
    users, group_bits = acl.read(path)
    mask = status.st_mode >> 3 & 7  # with an access list these bits are its mask
    if uid in users:
        return bool(users[uid] & mask & bit)
    named = group_bits or {None: mask}
    matching = [bits & mask for gid, bits in named.items() if (status.st_gid if gid is None else gid) in groups]
    if matching:
        return any(bits & bit for bits in matching)
    return bool(status.st_mode & bit)
