"""A configuration that nginx takes long to read, as one with thousands of certificates."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from zdd.host import process


class SlowNginx:
    """
    A FIFO for an `include`: whoever opens it waits for `seconds`, then reads nothing.

    Within the `with`, every nginx that reads a text with this file in it takes so long, the test of the text too.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self.path = path
        self.seconds = seconds
        self.reads = 0
        os.mkfifo(path)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        since: dict[int, float] = {}
        while not self._end.wait(0.01):
            waiting = {pid for pid in process.parents() if waits(pid)}
            since = {pid: since.get(pid, time.monotonic()) for pid in waiting}
            if any(time.monotonic() - begun > self.seconds for begun in since.values()):
                self._let_in()
                since = {}
        for _ in range(500):  # whoever still waits is let in, so that nothing hangs
            self._let_in()
            time.sleep(0.01)
            if not any(waits(pid) for pid in process.parents()):
                return

    def _let_in(self) -> None:
        with contextlib.suppress(OSError):
            os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK))
            self.reads += 1


def waits(pid: int) -> bool:
    """Whether the process is an nginx that opens a FIFO nobody writes to."""
    try:
        return Path(f"/proc/{pid}/wchan").read_text() == "wait_for_partner" and "nginx" in process.title(pid)
    except OSError:
        return False
