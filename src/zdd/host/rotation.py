"""Logs that do not grow for ever, although whoever writes them never lets go of the file."""

from __future__ import annotations

import os

from zdd.host import files

_CHUNK = 1 << 20


def older(path: str) -> str:
    """Return where the part of a log is that was rotated away."""
    return f"{path}.1"


def rotate(path: str, most: int) -> bool:
    """
    Move what is in a file of more than `most` bytes to PATH.1, in place of what was there; True when that was done.

    The file itself stays, emptied, so its writers, who append, go on. A line is lost only if it is written in the
    instant between the end of the copy and the emptying, some microseconds. When there is no room for the copy, all
    stays as it is. 0 means never. A writer who does not append goes on where it was: that leaves a hole, which does not
    count and is not copied.
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
    """Return where in the file its content begins, behind a hole if there is one."""
    try:
        return os.lseek(fd, 0, os.SEEK_DATA)
    except OSError:  # nothing but a hole, or an empty file
        return os.fstat(fd).st_size


def add(path: str, text: bytes, most: int) -> None:
    """Append to the rotated part, or replace it where that would exceed `most` bytes; 0 means no bound."""
    with files.Opened(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o640) as fd:
        if most and os.fstat(fd).st_size + len(text) > most:
            os.ftruncate(fd, 0)
        os.write(fd, text)


def _move(source: int, copy: str, target: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with files.Opened(copy, flags, os.fstat(source).st_mode & 0o777) as to:
        offset = _copy(source, to, data(source))
        os.rename(copy, target)
        _copy(source, to, offset)  # what has come meanwhile
        os.ftruncate(source, 0)


def _copy(source: int, to: int, offset: int) -> int:
    while sent := os.sendfile(to, source, offset, _CHUNK):
        offset += sent
    return offset
