"""
POSIX access lists: grant access to one more user and to nobody else.

This module writes the kernel's own extended attribute (acl(5), xattr(7)). That needs neither root nor a tool, only
ownership of the file.
"""

from __future__ import annotations

import os
import struct

_ATTRIBUTE, _OF_NEW_FILES = "system.posix_acl_access", "system.posix_acl_default"
_VERSION = 2
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NOBODY = 0xFFFFFFFF

READ, WRITE, SEARCH = 4, 2, 1


def allow(path: str, users: dict[int, int]) -> None:
    """
    Grant access to these users (uid: permission bits) and the owner, and to nobody else; replaces any list of before.

    Raises OSError (ENOTSUP) on a file system without access lists.
    """
    _set(path, os.stat(path).st_mode & 0o700, users)


def add(fd: int, user: int, bits: int) -> None:
    """
    Grant these rights on an open file to one more user; everybody else keeps the rights of the mode. No list may exist.

    Raises OSError (ENOTSUP) on a file system without access lists.
    """
    _set(fd, os.fstat(fd).st_mode, {user: bits})


def let_pass(folder: str, users: list[int]) -> None:
    """Let these users search the folder, but not list it. Raises OSError like `allow`."""
    if others := {user: SEARCH for user in users if user != os.geteuid()}:
        allow(folder, others)


def let_also_pass(folder: str, user: int) -> None:
    """
    Let one more user search the folder; everybody else keeps what they have, also what a list gives them.

    Raises OSError like `allow`.
    """
    entries = {(tag, who): bits for tag, bits, who in _entries(folder)}
    if entries.get((_USER, user), 0) & SEARCH:
        return
    mode = os.stat(folder).st_mode
    if not entries:
        ours = ((_USER_OBJ, 6), (_GROUP_OBJ, 3), (_OTHER, 0))
        entries = {(tag, _NOBODY): mode >> shift & 7 for tag, shift in ours}
    entries[_USER, user] = entries.get((_USER, user), 0) | SEARCH
    entries[_MASK, _NOBODY] = (mode >> 3 & 7) | SEARCH  # with a list, the mode's group bits are its mask
    _write(folder, [(tag, bits, who) for (tag, who), bits in sorted(entries.items())])


def close_to_others(folder: str) -> None:
    """
    Take all rights of others on the files in a folder, and on those that anybody makes there later.

    So somebody can be let pass to one file in it. Raises OSError like `allow`.
    """
    ours = [(_USER_OBJ, 7, _NOBODY), (_GROUP_OBJ, 5, _NOBODY), (_OTHER, 0, _NOBODY)]
    _write(folder, ours, _OF_NEW_FILES)
    for entry in os.scandir(folder):
        mode = entry.stat(follow_symlinks=False).st_mode
        if entry.is_file(follow_symlinks=False) and mode & 0o007:
            os.chmod(entry.path, mode & 0o770)


def read(path: str) -> tuple[dict[int, int], dict[int | None, int]]:
    """
    Return the permission bits that the path's access list gives to users and to groups, without its mask applied.

    The key of the owning group is None. Both dictionaries are empty if the path has no list.
    """
    users: dict[int, int] = {}
    groups: dict[int | None, int] = {}
    for tag, bits, who in _entries(path):
        if tag == _USER:
            users[who] = bits
        elif tag in (_GROUP_OBJ, _GROUP):
            groups[None if tag == _GROUP_OBJ else who] = bits
    return users, groups


def _set(file: str | int, mode: int, users: dict[int, int]) -> None:
    """Grant access to these users beside what the mode grants."""
    owner, group, other = mode >> 6 & 7, mode >> 3 & 7, mode & 7
    mask = group
    for bits in users.values():
        mask |= bits
    entries = [(_USER_OBJ, owner, _NOBODY), *((_USER, bits, user) for user, bits in sorted(users.items()))]
    entries += [(_GROUP_OBJ, group, _NOBODY), (_MASK, mask, _NOBODY), (_OTHER, other, _NOBODY)]
    _write(file, entries)


def _entries(path: str) -> list[tuple[int, int, int]]:
    """Return the tag, the bits and the user or group of each entry; nothing if the path has no list."""
    try:
        data = os.getxattr(path, _ATTRIBUTE)
    except OSError:
        return []
    return list(struct.iter_unpack("<HHI", data[4:]))


def _write(file: str | int, entries: list[tuple[int, int, int]], attribute: str = _ATTRIBUTE) -> None:
    packed = [struct.pack("<HHI", *entry) for entry in entries]
    os.setxattr(file, attribute, struct.pack("<I", _VERSION) + b"".join(packed))
