"""The members of a classic instance: the processes that its start command has started, daemonized or not."""

from __future__ import annotations

import os
import signal
from typing import NamedTuple

from zdd.host import process
from zdd.host.clock import Clock
from zdd.host.process import Process

_MARK = "ZDD_INSTANCE"
_SECRET = "ZDD_START"  # only the process's own user can read its environment, so no other user knows it
_POLL = 0.02  # seconds, for an exec(2) that is under way
_ROUNDS = 100  # of killing: a process can start another one while it is being killed


class Killed(NamedTuple):
    """Whether the main process, or a member where there was none, and what it had left, did not end in time."""

    first: bool
    rest: bool


class Members:
    """Finds the members by two variables: `mark` names the instance, and a secret is known to this start alone."""

    def __init__(self, mark: str) -> None:
        self.environment = {_MARK: mark, _SECRET: os.urandom(16).hex()}

    def pids(self) -> list[int]:
        """
        Return the living members. A look may miss one: during exec(2) a process has no environment.

        Of a process that did nothing else, 18 of 744 looks, one each 5 ms, saw nothing, 8 of them in a row.
        """
        return process.with_environment(_MARK, self.environment[_MARK])

    def of_this_start(self) -> list[int]:
        """Return the processes that only this start can have started."""
        return process.with_environment(_SECRET, self.environment[_SECRET])

    def end(self, main: Process | None, patience: float, clock: Clock) -> Killed:
        """
        End all members and all below `main`. First `main`, or else every member, gets SIGTERM and `patience` seconds.

        What `main` leaves then gets SIGTERM and the rest of that time.
        """
        until = clock.now() + patience
        members = tree(main) if main else []
        members += [member for member in living(self.pids()) if member not in members]
        first = [main] if main else members
        is_killed = bool(process.end(first, signal.SIGTERM, patience, clock.now))
        rest = [member for member in members if member not in first]
        is_rest_killed = bool(process.end(rest, signal.SIGTERM, max(0.0, until - clock.now()), clock.now))
        killed: set[Process] = set()  # or unkillable (state D): nothing more can be done about those
        for _ in range(_ROUNDS):
            process.end(members, signal.SIGKILL, 0, clock.now)
            killed |= set(members)
            clock.sleep(_POLL)  # during exec(2) a process has no environment, so `pids` cannot find it
            members = [member for member in living(self.pids()) if member not in killed]
            if not members:
                break
        return Killed(is_killed, is_rest_killed)


def tree(root: Process) -> list[Process]:
    """Return this process and all below it."""
    return [root, *living(process.descendants(root.pid))]


def living(pids: list[int]) -> list[Process]:
    """Return the processes with these numbers that live."""
    return [member for pid in pids if (member := Process.find(pid))]
