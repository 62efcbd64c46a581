"""The members of a classic instance: the processes that its start command has started, daemonized or not."""

from __future__ import annotations

import os
import signal

from zdd.host import process
from zdd.host.clock import Clock
from zdd.host.process import Process

_MARK = "ZDD_INSTANCE"
_SECRET = "ZDD_START"  # only the process's own user can read its environment, so no other user knows it
_POLL = 0.02
_ROUNDS = 100  # of killing: a process can start another one while it is being killed


class Members:
    """Finds the members by two variables: `mark` names the instance, and a secret is known to this start alone."""

    def __init__(self, mark: str) -> None:
        self.environment = {_MARK: mark, _SECRET: os.urandom(16).hex()}

    def pids(self) -> list[int]:
        """Return the living members."""
        return process.with_environment(_MARK, self.environment[_MARK])

    def of_this_start(self) -> list[int]:
        """Return the processes that only this start can have started."""
        return process.with_environment(_SECRET, self.environment[_SECRET])

    def end(self, main: Process | None, patience: float, clock: Clock) -> None:
        """End all members and all below `main`. First `main`, or else every member, gets SIGTERM and `patience` s."""
        members = tree(main) if main else []
        members += [member for member in living(self.pids()) if member not in members]
        process.end([main] if main else members, signal.SIGTERM, patience, clock.now)
        killed: set[Process] = set()  # or unkillable (state D): nothing more can be done about those
        for _ in range(_ROUNDS):
            process.end(members, signal.SIGKILL, 1.0, clock.now)
            killed |= set(members)
            clock.sleep(_POLL)  # during exec(2) a process has no environment, so `pids` cannot find it
            members = [member for member in living(self.pids()) if member not in killed]
            if not members:
                break


def tree(root: Process) -> list[Process]:
    """Return this process and all below it."""
    return [root, *living(process.descendants(root.pid))]


def living(pids: list[int]) -> list[Process]:
    """Return the processes with these numbers that live."""
    return [member for pid in pids if (member := Process.find(pid))]
