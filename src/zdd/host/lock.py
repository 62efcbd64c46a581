"""One changing command at a time."""

from __future__ import annotations

import fcntl
import json
import os

from zdd.host import files
from zdd.host.clock import Clock


class Busy(Exception):  # noqa: N818  (a state somebody is in, not a mistake)
    """Somebody else holds the lock; `holder` is what they wrote of themselves, as far as known."""

    def __init__(self, holder: dict[str, object]) -> None:
        super().__init__("locked")
        self.holder = holder


class Lock:
    """
    An exclusive flock(2) on a file, released by the kernel however its holder ends.

    The descriptor is close-on-exec: no keeper, app or hook inherits it. The file is its owner's alone: whoever can open
    it can hold the lock. One that an older version has made for all to read is closed to them in place, since a new
    file beside a held one would guard nothing.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd: int | None = None

    def acquire(self, holder: dict[str, object], timeout: float) -> None:
        """Take the lock, waiting at most `timeout` seconds; raises Busy with what its holder wrote."""
        clock = Clock()
        for _ in clock.poll(0.05, until=clock.now() + timeout):
            if self._try(holder):
                return
        raise Busy(files.read_object(self.path))

    def release(self) -> None:
        """Give the lock up."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def _try(self, holder: dict[str, object]) -> bool:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            os.fchmod(fd, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # `down` removes the whole folder while it holds the lock: a lock on the removed file guards nothing.
            if not os.path.samestat(os.fstat(fd), os.stat(self.path)):
                raise FileNotFoundError(self.path)
        except (BlockingIOError, FileNotFoundError):
            os.close(fd)
            return False
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(holder).encode(), 0)
        self.fd = fd
        return True


def is_held(path: str) -> bool:
    """Tell whether anybody holds the lock now, without waiting and without disturbing them."""
    try:
        with files.Opened(path, os.O_RDONLY) as fd:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
