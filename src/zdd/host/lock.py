"""One changing command at a time."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable

from zdd.host import files
from zdd.host.clock import Clock

_PAUSE = 0.005  # seconds between looks at a lock that is taken; one costs 5 us, so all of them a thousandth of a core


class Busy(Exception):  # noqa: N818  (a state, not a mistake)
    """Another process holds the lock; `holder` is what it wrote about itself, or empty."""

    def __init__(self, holder: dict[str, object]) -> None:
        super().__init__("locked")
        self.holder = holder


class Lock:
    """
    An exclusive flock(2) on a file; the kernel releases it however its holder ends.

    The descriptor is close-on-exec: no keeper, app or hook inherits it. Only the owner may open the file, since anyone
    who can open it can hold the lock. A file that an older version made readable for all gets the new mode in place: a
    new file beside a locked one would protect nothing.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd: int | None = None

    def acquire(
        self,
        describe: Callable[[], dict[str, object]],
        timeout: float,
        interrupt: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Take the lock, waiting at most `timeout` seconds, and write what `describe` then says about us into the file.

        `interrupt` is called repeatedly and may raise. Raises Busy with what the holder wrote.
        """
        clock = Clock()
        for _ in clock.poll(_PAUSE, until=clock.now() + timeout, interrupt=interrupt):
            if self._try(describe):
                return
        raise Busy(files.read_object(self.path))

    def release(self) -> None:
        """Release the lock."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def _try(self, describe: Callable[[], dict[str, object]]) -> bool:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            os.fchmod(fd, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # `down` removes the whole folder while it holds the lock; a lock on a removed file protects nothing.
            if not os.path.samestat(os.fstat(fd), os.stat(self.path)):
                raise FileNotFoundError(self.path)
        except (BlockingIOError, FileNotFoundError):
            os.close(fd)
            return False
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(describe()).encode(), 0)
        self.fd = fd
        return True


def is_held(path: str) -> bool:
    """Return whether a process holds the lock, without waiting for it or disturbing it."""
    try:
        with files.Opened(path, os.O_RDONLY) as fd:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
