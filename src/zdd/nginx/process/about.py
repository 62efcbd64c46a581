"""What `nginx -V` says, remembered for as long as the program is the same file: most deploys need not run it."""

from __future__ import annotations

import contextlib
import json
import os

from zdd.host import files, interpreter

Identity = list[int]


class About:
    """The answer of one program, kept in a file of S."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._new: dict[str, object] | None = None

    def recall(self, program: str) -> str | None:
        """Return what this program said, None if that is unknown or its file has changed since."""
        with contextlib.suppress(OSError):
            known = files.read_object(self.path)
            said = known.get("said")
            if isinstance(said, str) and known.get("file") == identity(program):
                return said
        return None

    def learn(self, before: Identity | None, said: str) -> None:
        """Take in what a program said that was this file before it was asked."""
        self._new = {"file": before, "said": said} if before else None

    def keep(self) -> None:
        """Write what is new. On a full disk nothing is kept, and the next command asks again."""
        if self._new:
            with contextlib.suppress(OSError):
                files.write(self.path, json.dumps(self._new), mode=0o600)
            self._new = None


def identity(program: str) -> Identity | None:
    """Return what changes whenever the program's file does; None for a script, which may run any other program."""
    try:
        status = os.stat(program)
    except OSError:
        return None
    if interpreter.is_script(program):
        return None
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
