"""
POSIX access lists: one more user let in, and nobody else.

Written as the kernel's own extended attribute (acl(5), xattr(7)), which needs neither root nor a tool,
only to own the file.
"""

from __future__ import annotations

import os
import struct

_ATTRIBUTE = "system.posix_acl_access"
_VERSION = 2
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NOBODY = 0xFFFFFFFF

READ, WRITE, SEARCH = 4, 2, 1


def allow(path: str, users: dict[int, int]) -> None:
    """
    Let these users (number: permission bits), the owner, and nobody else use the path; replaces what was there.

    Raises OSError (ENOTSUP) on a file system without access lists.
    """
    owner = os.stat(path).st_mode >> 6 & 7
    mask = 0
    entries = [(_USER_OBJ, owner, _NOBODY)]
    for user, bits in sorted(users.items()):
        entries.append((_USER, bits, user))
        mask |= bits
    entries += [(_GROUP_OBJ, 0, _NOBODY), (_MASK, mask, _NOBODY), (_OTHER, 0, _NOBODY)]
    os.setxattr(path, _ATTRIBUTE, _packed(entries))


def add(fd: int, user: int, bits: int) -> None:
    """
    Let one more user have these rights to an open file that has no list yet; everybody else has what the mode says.

    Raises OSError (ENOTSUP) on a file system without access lists.
    """
    mode = os.fstat(fd).st_mode
    owner, group, other = mode >> 6 & 7, mode >> 3 & 7, mode & 7
    entries = [(_USER_OBJ, owner, _NOBODY), (_USER, bits, user), (_GROUP_OBJ, group, _NOBODY)]
    entries += [(_MASK, group | bits, _NOBODY), (_OTHER, other, _NOBODY)]
    os.setxattr(fd, _ATTRIBUTE, _packed(entries))


def let_pass(folder: str, users: list[int]) -> None:
    """Let these users, besides us, pass the folder on the way to a name that they know. Raises OSError as `allow`."""
    if others := {user: SEARCH for user in users if user != os.geteuid()}:
        allow(folder, others)


def read(path: str) -> tuple[dict[int, int], dict[int | None, int]]:
    """
    Return the permission bits of the users and of the groups that the path's access list names, before its mask.

    The owning group is None. Both are empty where there is no list.
    """
    try:
        data = os.getxattr(path, _ATTRIBUTE)
    except OSError:
        return {}, {}
    users: dict[int, int] = {}
    groups: dict[int | None, int] = {}
    for tag, bits, who in struct.iter_unpack("<HHI", data[4:]):
        if tag == _USER:
            users[who] = bits
        elif tag in (_GROUP_OBJ, _GROUP):
            groups[None if tag == _GROUP_OBJ else who] = bits
    return users, groups


def _packed(entries: list[tuple[int, int, int]]) -> bytes:
    return struct.pack("<I", _VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
