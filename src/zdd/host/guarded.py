"""
Small files that another user may have planted: no link is followed, no FIFO blocks, no endless file is read.

A user who may write a folder may put anything at its names: a link to root's secrets, a FIFO without a writer, an
endless device, the pid of an unrelated process. So if root runs this and another user can write the folder, a folder
above it or the file itself, no link is followed, nothing blocks, and only a regular file of at most 32 bytes is read.
Everywhere else, and for ordinary users, these functions do what `files` does. `read_of_user` reads a file that another
user is expected to have written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from zdd.host import files, foreign

_MOST = 32  # bytes of a file that holds a number
_LONGEST = 65536  # bytes of a file that `read_of_user` reads
_MOST_LINKS = 40  # in one path: the kernel's own limit (path_resolution(7))
_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_KINDS = ((stat.S_ISLNK, "a link"), (stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"), (stat.S_ISDIR, "a folder"))


class Untrusted(Exception):  # noqa: N818  (names the file, not the failure)
    """Root must not use this file, which another user can change; the message says what it is."""


class Found(NamedTuple):
    """
    A file's content. `shared`: another user may have written it; then it has at most 32 bytes.

    `owner` is the user who wrote it, None if any user could have.
    """

    text: str
    shared: bool
    owner: int | None

    @property
    def number(self) -> int | None:
        """Return the number in it, None for anything else."""
        return foreign.number(self.text.strip(), foreign.HIGHEST_PID) or None


def is_shared(path: str) -> bool:
    """Return whether we are root and another user can replace or change the file."""
    try:
        with _reached(path, "read", through_link=True) as (_, shared):
            return shared
    except Untrusted:
        return True
    except OSError:
        return False


def look(path: str) -> Found | None:
    """Return the file's content, None if it does not exist. Raises Untrusted, and the errors of `files.read`."""
    try:
        with _reached(path, "read", through_link=True) as (place, shared):
            if shared:
                return _read(path, place)
            text = files.read(path)
            return None if text is None else Found(text, shared=False, owner=None)
    except (FileNotFoundError, NotADirectoryError):
        return None


def read_of_user(path: str, uid: int) -> str | None:
    """
    Return the text of a regular file that belongs to this user; None for anything else.

    The last name is not followed if it is a link, a FIFO does not block, and a file that is too long is not read.
    """
    try:
        with files.Opened(path, _READ) as fd:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != uid or status.st_size > _LONGEST:
                return None
            return os.read(fd, _LONGEST).decode("utf-8", "replace")
    except (OSError, ValueError):
        return None


def write(path: str, text: str) -> None:
    """Replace the file as `files.write` does. Raises Untrusted, and the errors of `files.write`."""
    with _reached(path, "replaced") as (place, _):
        files.write(place, text)


def remove(path: str) -> None:
    """Remove the file or link if it exists, never the target of a link. Raises Untrusted and OSError."""
    try:
        with _reached(path, "removed") as (place, _):
            files.remove(place)
    except NotADirectoryError:
        pass


@contextlib.contextmanager
def _reached(path: str, done: str, through_link: bool = False) -> Iterator[tuple[str, bool]]:
    """
    Give a path to the file for what is `done` to it, and whether another user may replace or change the file.

    If so, the path goes through the open folder that `_walk` has reached, and an OSError that the caller gets from it
    becomes Untrusted, since the folder's owner may have caused it; a missing file is no such error.
    """
    if os.geteuid() != 0:
        yield path, False
        return
    fd, name, shared = _walk(path, through_link)
    try:
        yield (f"/proc/self/fd/{fd}/{name}" if shared else path), shared
    except OSError as error:
        if not shared or isinstance(error, FileNotFoundError):
            raise
        why = f"{error.strerror}; another user can change what is there"
        raise Untrusted(f"{path} cannot be {done}: {why}") from error
    finally:
        os.close(fd)


def _walk(path: str, through_link: bool) -> tuple[int, str, bool]:
    """
    Open the folder that an absolute path leads to, name by name; each name is checked before it is entered.

    Return the folder, the name in it, and whether another user may replace or change the file. Only links that root
    alone can have made are followed; at the end of the path only with `through_link`. Raises Untrusted for any other
    link, and OSError.
    """
    fd, shared, links = os.open("/", _FOLDER), False, 0
    parts = [part for part in reversed(path.split("/")) if part]
    try:
        while True:
            name = parts.pop() if parts else "."
            entry, folder = _stat(name, fd), os.fstat(fd)
            shared = shared or _may_be_replaced(folder, entry) or (not parts and _is_others(folder))
            is_link = entry is not None and stat.S_ISLNK(entry.st_mode)
            if not parts and not (is_link and through_link and not shared):
                return fd, name, shared or _is_others(entry)
            if is_link:
                links += 1
                if shared:
                    raise _planted(f"{path}: {name}", "a link on the way")
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                target = os.readlink(name, dir_fd=fd)
                parts += [part for part in reversed(target.split("/")) if part]
                below = os.open("/" if target.startswith("/") else ".", _FOLDER, dir_fd=fd)
            else:
                below = os.open(name, _FOLDER, dir_fd=fd)
            os.close(fd)
            fd = below
    except BaseException:
        os.close(fd)
        raise


def _read(path: str, place: str) -> Found:
    status = os.lstat(place)
    if not stat.S_ISREG(status.st_mode):
        raise _planted(path, next((kind for is_it, kind in _KINDS if is_it(status.st_mode)), "a device"))
    with files.Opened(place, _READ) as fd:
        status, folder = os.fstat(fd), os.stat(os.path.dirname(place))
        if not stat.S_ISREG(status.st_mode):
            raise _planted(path, "no file any more")
        data = os.read(fd, _MOST + 1)
    if len(data) > _MOST:
        raise _planted(path, f"more than {_MOST} bytes long, and no number")
    return Found(data.decode("ascii", "replace"), shared=True, owner=_author(status, folder))


def _author(file: os.stat_result, folder: os.stat_result) -> int | None:
    """Return who wrote a file; None if any user could have: it is a hard link, or writable by all or a group."""
    writable = stat.S_IWOTH | (stat.S_IWGRP if file.st_uid == 0 else 0)
    if file.st_nlink != 1 or file.st_mode & writable:
        return None
    if folder.st_mode & stat.S_IWOTH and file.st_uid not in (0, folder.st_uid):
        return None
    return file.st_uid


def _may_be_replaced(folder: os.stat_result, entry: os.stat_result | None) -> bool:
    """Return whether a user other than root may replace an entry of the folder."""
    if not _is_others(folder):
        return False
    sticky = folder.st_uid == 0 and folder.st_mode & stat.S_ISVTX
    return not (sticky and entry is not None and entry.st_uid == 0)


def _is_others(status: os.stat_result | None) -> bool:
    """Return whether a user other than root may write it; the group's bits include an access list (acl(5))."""
    if status is None or stat.S_ISLNK(status.st_mode):
        return False
    return status.st_uid != 0 or bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _stat(name: str, fd: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _planted(path: str, what: str) -> Untrusted:
    return Untrusted(f"{path} is {what}, and another user can change what is there: root does not use it")
