"""The programs that build releases: they may take long, and they end with us."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Callable, Mapping, Sequence

from zdd.errors import ProgramFailed
from zdd.host import process
from zdd.host.clock import Clock
from zdd.host.command import Commands, Surroundings
from zdd.host.process import Process

MARK = "ZDD_BUILD"  # in the environment of all that one piece of work starts: how it is found when its session is not
_ROUNDS = 10  # of looking for what was forked while we killed


class BuildFailed(ProgramFailed):
    """No release was built, and nothing of it is left."""


class Work:
    """One piece of work: the programs it runs, which have the same environment. `name` is its own on this machine."""

    def __init__(self, commands: Commands, name: str, env: Mapping[str, str], interrupt: Callable[[], None]) -> None:
        self.commands = commands
        self.name = name
        self.env = {**env, MARK: name}
        self.interrupt = interrupt

    def run(self, argv: Sequence[str], cwd: str, output: str) -> int:
        """
        Run a program to its end, appending what it prints to the file `output`; returns its exit status.

        `interrupt` is called again and again; what it raises is raised here once the program, its session and all else
        that it started are killed. Raises OSError when it cannot be started.
        """
        there = Surroundings(cwd, self.env)
        try:
            status = self.commands.attend(argv, there, output, math.inf, Clock(), self.interrupt)
        except BaseException:
            with contextlib.suppress(OSError):  # what is raised already says more
                end(self.name)
            raise
        assert status is not None, "only a timeout leaves it unknown"
        return status


def end(name: str) -> None:
    """Kill whatever a piece of work left running, also one whose zddeploy is dead; nothing left is fine."""
    for _ in range(_ROUNDS):
        pids = process.with_environment(MARK, name)
        if not pids:
            return
        process.end(filter(None, map(Process.find, pids)), signal.SIGKILL, 1.0, time.monotonic)
