"""A file system that becomes full: nothing can be made or written, but files can be renamed and removed."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import IO, Any

import pytest

from zdd.host import files


class Full:
    """Allows `left` more operations: with "inodes" making files, links and folders, else writing files."""

    def __init__(self, what: str, left: int) -> None:
        self.what = what
        self.left = left
        self.refused = 0

    def take(self) -> None:
        """Count one operation. Raises OSError if none is left."""
        if self.left == 0:
            self.refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left -= 1


@contextlib.contextmanager
def filesystem(full: Full) -> Iterator[None]:
    """Put zdd's files on such a file system."""
    made: dict[str, Any] = {"symlink": os.symlink, "mkdir": os.mkdir, "open": os.open}
    with pytest.MonkeyPatch.context() as patch:
        if full.what == "inodes":
            for name, function in made.items():
                patch.setattr(os, name, _limited(full, name, function))
        else:
            patch.setattr(files, "open", _limited_open(full), raising=False)
        yield


def _limited(full: Full, name: str, function: Any) -> Any:
    def limited(*args: Any, **keys: Any) -> Any:
        if name != "open" or (args[1] & os.O_CREAT and not os.path.lexists(args[0])):
            full.take()
        return function(*args, **keys)

    return limited


def _limited_open(full: Full) -> Any:
    def limited(path: Any, mode: str = "r", **keys: Any) -> IO[Any]:
        file: IO[Any] = open(path, mode, **keys)  # noqa: SIM115  (the caller closes it)
        if mode != "r":
            with contextlib.ExitStack() as undo:
                undo.enter_context(file)
                full.take()
                undo.pop_all()
        return file

    return limited
