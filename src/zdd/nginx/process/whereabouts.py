"""What follows from the answer to "which nginx": its users, what it sees, how its connections are counted."""

from __future__ import annotations

from msgspec import Struct

from zdd.host import namespaces, process, sock_diag
from zdd.host.process import Process
from zdd.nginx.process import running, sharing
from zdd.nginx.process.master import Absent, Answer, Master, Unknown
from zdd.nginx.process.sharing import Rival


class Whereabouts(Struct, frozen=True):
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
        inodes = sock_diag.inodes_of([found.pid] if found else [])
        return any(socket.inode in inodes for socket in sock_diag.listening_on(port)) if inodes else None

    def overlooks(self, folder: str) -> Process | None:
        """Return the master if it is known to find something else, or nothing, at this path."""
        found = self.master
        return found if found and namespaces.sees(found.pid, folder) is False else None

    def uncounted(self) -> list[Process]:
        """
        Return the masters whose connections to our sockets we may fail to count; as long as they run, a drain waits.

        Connections are counted in the network namespace of the process that made them, and keepers know of one nginx.
        """
        if found := self.likely:
            return [found] if namespaces.shares_network(found.pid) is None else []
        candidates = self.answer.candidates if isinstance(self.answer, Unknown) else ()
        return [candidate for candidate in candidates if not namespaces.shares_network(candidate.pid)]

    def rivals(self) -> list[Rival]:
        """Return who else takes requests where nginx does, and is not reached by its reload."""
        found = self.master
        return sharing.rivals(found, self.pid_file) if found else []
