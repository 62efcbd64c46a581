"""What follows from the answer to "which nginx": its users, what it sees, how its connections are counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from zdd.errors import UsageError
from zdd.host import namespaces, process, sock_diag
from zdd.host.clock import Clock
from zdd.host.process import Process
from zdd.nginx.process import master, running
from zdd.nginx.process.master import Absent, Answer, Master, Unknown

_POLL = 0.05
_PATIENCE = 5.0  # seconds; distributions replace the program of a running nginx within a few


class Whereabouts(NamedTuple):
    """The nginx before the services, as far as it is known, and its pid file."""

    answer: Answer
    pid_file: str | None = None

    @property
    def master(self) -> Process | None:
        """The master process if it is known."""
        return self.answer.process if isinstance(self.answer, Master) else None

    @property
    def likely(self) -> Process | None:
        """The master, or the only one that it may be."""
        candidates = self.answer.candidates if isinstance(self.answer, Unknown) else ()
        return self.master or (candidates[0] if len(candidates) == 1 else None)

    @property
    def doubt(self) -> str | None:
        """What is unknown about nginx, and what to set; None if it is known whether it runs."""
        return f"{self.answer.reason}; {self.answer.hint}" if isinstance(self.answer, Unknown) else None

    @property
    def down(self) -> str | None:
        """Why no visitor gets an answer; None if nginx runs, may run unseen, or is started by zdd."""
        return self.answer.reason if isinstance(self.answer, Absent) and self.answer.is_down else None

    def users(self) -> list[int]:
        """Return the users that its workers run as now; empty if that is unknown."""
        if not (found := self.master):
            return []
        uids = (process.user_id(worker.pid) for worker in running.workers(found))
        return sorted({uid for uid in uids if uid is not None})

    def holds(self, port: int) -> bool | None:
        """Return whether it is nginx that listens on a TCP port; None if that is unknown."""
        found = self.master
        inodes = {inode for inode, _ in sock_diag.socket_descriptors(found.pid)} if found else set[int]()
        return any(socket.inode in inodes for socket in sock_diag.listening_on(port)) if inodes else None

    def overlooks(self, folder: str) -> Process | None:
        """Return the master if it is known to find something else, or nothing, at this path."""
        found = self.master
        return found if found and namespaces.sees(found.pid, folder) is False else None

    def uncounted(self) -> list[Process]:
        """
        Return the masters whose connections to our sockets we may fail to count; as long as they run, a drain waits.

        Connections are counted in the network namespace of whoever made them, and keepers know of one nginx.
        """
        if found := self.likely:
            return [found] if namespaces.shares_network(found.pid) is None else []
        candidates = self.answer.candidates if isinstance(self.answer, Unknown) else ()
        return [candidate for candidate in candidates if not namespaces.shares_network(candidate.pid)]

    def replacing(self) -> tuple[Process, Process] | None:
        """Return the old and the new master while nginx's program is being replaced and both take requests."""
        found = self.master
        other = master.beside(found, self.pid_file) if found else None
        if found is None or other is None:
            return None
        return (found, other) if found.start_time < other.start_time else (other, found)


def refuse_replacing(replacing: Callable[[], tuple[Process, Process] | None], clock: Clock) -> None:
    """Wait for the end of a replacement. Raises UsageError if it does not come: a reload would reach one of two."""
    both = None
    for _ in clock.poll(_POLL, clock.now() + _PATIENCE):
        if (both := replacing()) is None:
            return
    if both:
        raise told_of(*both)


def told_of(old: Process, new: Process) -> UsageError:
    """Return the error for a reload that would reach only one of two masters."""
    return UsageError(
        f"nginx's program is being replaced: processes {old.pid} and {new.pid} both take requests, "
        "and a reload would reach only one of them",
        hint=f"finish it, `kill -QUIT {old.pid}`, or go back, `kill -HUP {old.pid}; kill -QUIT {new.pid}`; "
        "then run zddeploy again",
    )
