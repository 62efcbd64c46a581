"""The programs that build releases: they may run long, and they end when we end."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Callable, Mapping, Sequence

from zdd.errors import ProgramFailed
from zdd.host import process
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process

MARK = "ZDD_BUILD"  # in the environment of all processes of one piece of work: finds those that left the session
_ROUNDS = 10  # searches for processes that were forked while we killed


class BuildFailed(ProgramFailed):
    """No release was built, and nothing of it is left."""


class Work:
    """A piece of work: programs with the same environment. `name` is unique on this machine."""

    def __init__(self, commands: Commands, name: str, env: Mapping[str, str], interrupt: Callable[[], None]) -> None:
        self.commands = commands
        self.name = name
        self.env = {**env, MARK: name}
        self.interrupt = interrupt

    def run(self, argv: Sequence[str], cwd: str, output: str) -> int:
        """
        Run a program to its end, append its output to the file `output`, and return its exit status.

        `interrupt` is called repeatedly; if it raises, the program and all processes it started are killed, and the
        exception is passed on. Raises OSError if the program cannot be started.
        """
        try:
            status = self.commands.spawn(argv, cwd, self.env, output).wait(math.inf, Clock(), self.interrupt)
        except BaseException:
            with contextlib.suppress(OSError):  # the first exception says more
                end(self.name)
            raise
        assert status is not None, "only a timeout leaves it unknown"
        return status


def end(name: str) -> None:
    """Kill all processes of a piece of work, even if its zddeploy has died."""
    for _ in range(_ROUNDS):
        pids = process.with_environment(MARK, name)
        if not pids:
            return
        process.end(filter(None, map(Process.find, pids)), signal.SIGKILL, 0, time.monotonic)
