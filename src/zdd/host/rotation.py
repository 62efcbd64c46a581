"""Rotation of logs whose writers never close the file."""

from __future__ import annotations

import os

from zdd.host import files

_CHUNK = 1 << 20


def older(path: str) -> str:
    """Return the path of the rotated part of a log."""
    return f"{path}.1"


def rotate(path: str, most: int) -> bool:
    """
    Move the content of a file of more than `most` bytes (0: never) to PATH.1, replacing that; return whether it did.

    The file itself is emptied, so its writers, who append, continue. A line is lost only if it is written in the few
    microseconds between the end of the copy and the emptying. If the disk has no room for the copy, nothing changes. A
    writer that does not append continues at its old offset: this leaves a hole, which is neither counted nor copied.
    """
    if not most or files.size(path) <= most:
        return False
    copy = f"{path}.{os.getpid()}.tmp"
    try:
        with files.Opened(path, os.O_RDWR | os.O_NOFOLLOW) as source:
            if os.fstat(source).st_size - data(source) <= most:
                return False
            _move(source, copy, older(path))
    except OSError:
        files.remove(copy)
        return False
    return True


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


def _move(source: int, copy: str, target: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with files.Opened(copy, flags, os.fstat(source).st_mode & 0o777) as to:
        offset = _copy(source, to, data(source))
        os.rename(copy, target)
        _copy(source, to, offset)  # what was written meanwhile
        os.ftruncate(source, 0)


def _copy(source: int, to: int, offset: int) -> int:
    while sent := os.sendfile(to, source, offset, _CHUNK):
        offset += sent
    return offset
