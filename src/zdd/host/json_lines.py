"""
A file of JSON lines that must not be missing unnoticed, and whose writers must not fail.

A line that cannot be written leaves a mark that needs no space on the disk: the file gets the time 0. The next line
that can be written is preceded by `{"gap": ...}`.
"""

from __future__ import annotations

import os
import stat
import time

from zdd.host import files, rotation
from zdd.host import light_json as json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_ADD = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK


def add(path: str, line: Callable[[], Mapping[str, Any]]) -> bool:
    """Append a line; return False, and leave the mark, if that fails for whatever reason. Raises nothing."""
    try:
        append(path, line())
    except Exception:  # what the caller does matters more
        try:
            os.utime(path, (0, 0), follow_symlinks=False)
        except OSError:
            pass
        return False
    return True


def append(path: str, line: Mapping[str, Any]) -> None:
    """Append a line, and before it what is missing to an earlier one. Raises OSError."""
    with files.Opened(path, _ADD, 0o640) as fd:
        status, text = os.fstat(fd), json.dumps(line) + "\n"
        if status.st_size and not status.st_mtime:
            text = json.dumps({"gap": time.time()}) + "\n" + text
        if status.st_size and os.pread(fd, 1, status.st_size - 1) != b"\n":
            text = "\n" + text
        data = text.encode()
        if os.write(fd, data) != len(data):
            raise OSError("the disk is full")


def read(path: str) -> Iterator[bytes]:
    """Yield the lines of the older part and of the file, and a gap after one whose end is missing."""
    for part in (rotation.older(path), path):
        try:
            with files.Opened(part, _READ) as fd:
                status = os.fstat(fd)
                if stat.S_ISREG(status.st_mode):
                    with open(fd, "rb", closefd=False) as file:
                        yield from file
                    if not status.st_mtime:
                        yield b'{"gap": 0}\n'
        except OSError:
            continue
