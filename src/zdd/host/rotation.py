"""Rotation of logs whose writers never close the file."""

from __future__ import annotations

import errno
import fcntl
import os

from zdd.host import files

_CHUNK = 1 << 20


def older(path: str) -> str:
    """Return the path of the rotated part of a log."""
    return f"{path}.1"


def tail(path: str, lines: int) -> list[str]:
    """Return the last lines of a log, with those of its rotated part if it has fewer itself."""
    found = files.tail(path, lines)
    return found if len(found) >= lines else [*files.tail(older(path), lines - len(found)), *found]


def rotate(path: str, most: int) -> int | None:
    """
    Move the content of a file of more than `most` bytes (0: never) to PATH.1, replacing that; then empty the file.

    Returns None if there was nothing to do or it failed, else how many bytes are in neither file: what was more than
    twice `most`, or all of it if the disk has no room for a copy. So a writer cannot fill the disk, whatever it writes:
    both files together have at most about three times `most` bytes, and what is written between two calls.

    The file stays, so its writers, who append, continue. A line is lost if it is written in the few microseconds
    between the end of the copy and the emptying. A writer that does not append continues at its old offset: this leaves
    a hole, which is neither counted nor copied.
    """
    if not most or files.size(path) <= most:
        return None
    try:
        with files.Opened(path, os.O_RDWR | os.O_NOFOLLOW) as source:
            fcntl.flock(source, fcntl.LOCK_EX | fcntl.LOCK_NB)  # two commands, or keepers, may do it
            if os.fstat(source).st_size - data(source) <= most:  # now that no other does
                return None
            return _move(source, path, most)
    except OSError:
        return None


def data(fd: int) -> int:
    """Return the offset at which the file's content begins, after a hole if there is one."""
    try:
        return os.lseek(fd, 0, os.SEEK_DATA)
    except OSError:  # nothing but a hole, or an empty file
        return os.fstat(fd).st_size


def add(path: str, text: bytes, most: int) -> None:
    """Append to the rotated part, or replace it if it would exceed `most` bytes (0: no limit)."""
    with files.Opened(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o640) as fd:
        if most and os.fstat(fd).st_size + len(text) > most:
            os.ftruncate(fd, 0)
        os.write(fd, text)


def _move(source: int, path: str, most: int) -> int:
    """Move the end of the file to its older part, or drop all of it; return how many bytes were dropped."""
    begin, size = data(source), os.fstat(source).st_size
    kept = max(begin, size - 2 * most)
    copy = f"{path}.{os.getpid()}.tmp"
    try:
        if not _has_room(source, size - kept):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with files.Opened(copy, flags, os.fstat(source).st_mode & 0o777) as to:
            offset = _copy(source, to, kept, size)
            os.rename(copy, older(path))
            _copy(source, to, offset, size + most)  # what was written meanwhile
    except OSError as error:
        files.remove(copy)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        kept = os.fstat(source).st_size
    os.ftruncate(source, 0)
    return kept - begin


def _has_room(fd: int, size: int) -> bool:
    """Return whether the file's disk has room for so many bytes, and a tenth of that for others."""
    disk = os.fstatvfs(fd)
    return disk.f_bavail * disk.f_frsize > 1.1 * size  # others write meanwhile


def _copy(source: int, to: int, offset: int, end: int) -> int:
    """Copy what is between two offsets, as far as it is there; return where it ended."""
    while offset < end and (sent := os.sendfile(to, source, offset, min(_CHUNK, end - offset))):
        offset += sent
    return offset
