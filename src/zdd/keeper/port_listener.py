"""A port of 127.0.0.1 on which the app itself listens."""

from __future__ import annotations

import os

from zdd.host import files, process, sock_diag
from zdd.host.light import socket
from zdd.keeper import siblings
from zdd.keeper.listener import BACKLOG, Listener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class PortListener(Listener):
    """
    A guard socket is bound to the port; while an app runs it does not listen, and the app binds the port as well.

    So no other program gets the port by chance. But Linux lets another user bind and listen on a port that is bound
    with SO_REUSEADDR and not listened on. So `others` checks who listens, and between two apps the guard listens.
    """

    def open(self, on_loss: Callable[[bool], None]) -> None:  # noqa: ARG002
        """Choose a free port and bind the guard to it. Raises OSError."""
        first = _bound(0)
        self.port = self.address = first.getsockname()[1]
        self._guard = _bound(self.port)  # bound by number, it stays bound when it stops listening
        self._listens = False
        first.close()

    def queues(self) -> list[socket.socket]:
        """Return the guard while it listens, and the app's own sockets if they are borrowed."""
        return [*([self._guard] if self._listens else []), *self.borrowed]

    @property
    def may_wait(self) -> bool:
        """Whether the guard listens, or what we have borrowed; then nothing else of the app does any more."""
        return self._listens or bool(self.borrowed)

    def cover(self) -> None:
        """Let siblings see the outage, and the guard listen, or a stranger could where no worker of the app does."""
        try:
            files.write(self._outage, "")
        except OSError:  # no room: siblings may relay to us, in vain
            pass
        try:
            self._guard.listen(BACKLOG)
            self._listens = True
        except OSError:
            pass

    def prepare(self) -> None:
        """Let nobody listen, or the app could not; queued connections have been accepted before."""
        self.give_back()
        if self._listens:
            self._listens = False
            self._guard.shutdown(socket.SHUT_RDWR)

    def restore(self) -> None:
        """Let siblings see that the outage is over."""
        files.remove(self._outage)

    @property
    def _outage(self) -> str:
        return f"{self.record.folder}/{siblings.OUTAGE}"

    def connections(self) -> int:
        """Count the connections."""
        return sock_diag.connections_to_port(self.port) if self.port else 0

    def files(self) -> None:
        """Return None: a port has no file."""

    def listening(self) -> set[int]:
        """Return the inodes of the sockets that listen on the port."""
        return {listener.inode for listener in self._listeners()}

    def backlog(self) -> int:
        """Count the connections in the queues of the sockets that listen on the port."""
        return sum(listener.in_queue for listener in self._listeners())

    def served(self) -> int:
        """Count the connections that have been accepted."""
        return len(self.served_inodes())

    def served_inodes(self) -> set[int]:
        """Return the inodes of the accepted connections."""
        return sock_diag.accepted_on(self.port) if self.port else set()

    def others(self) -> tuple[str | None, str | None]:
        """
        Return a description of another user's program that listens on the port, and of one of root's, as docker's
        proxy; None for each that does not, or is not visible.

        Sockets of processes below the keeper and of processes in its unit are the app's. Only what two looks show is
        told: the app may fork, or pass a socket on to a child and close it, during one of them.
        """
        stranger, of_root = self._others()
        if stranger or of_root:
            now = self._others()
            stranger, of_root = stranger and now[0], of_root and now[1]
        return stranger, of_root

    def _others(self) -> tuple[str | None, str | None]:
        listeners = self._listeners()  # before we look who has which
        if not listeners:
            return None, None
        own = process.descendants(os.getpid())
        inodes = sock_diag.inodes_of(own)
        inodes |= {os.fstat(each.fileno()).st_ino for each in self.borrowed}
        hidden = {process.user_id(pid) for pid in own if process.hides_descriptors(pid)}
        others = [each for each in listeners if each.inode not in inodes and each.uid not in hidden]
        found = {each.uid == 0: words for each in others if (words := self._described(each))}
        return found.get(False), found.get(True)

    def _described(self, listener: sock_diag.TcpSocket) -> str | None:
        """Return a description of the program that has this socket, None if that is in the keeper's unit."""
        holder = _holder(listener.inode)
        if holder is not None and process.shares_unit(holder):
            return None
        title = f"process {holder} ({process.title(holder)[:60]})" if holder else "a process"
        user = f"user {listener.uid}" if listener.uid else "root"
        return f"{title} of {user} listens on {listener.address}:{self.port}, and not the app"

    def close(self) -> None:
        """Close the guard and what is borrowed."""
        self.give_back()
        self._guard.close()

    def _listeners(self) -> list[sock_diag.TcpSocket]:
        listeners = sock_diag.listening_on(self.port) if self.port else []
        guard = os.fstat(self._guard.fileno()).st_ino
        return [each for each in listeners if each.address in sock_diag.AT_LOOPBACK and each.inode != guard]


def _bound(port: int) -> socket.socket:
    guard = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    guard.bind(("127.0.0.1", port))
    return guard


def _holder(inode: int) -> int | None:
    """Return a process that has this socket, among those that we may inspect."""
    for pid in process.parents():
        if any(inode == held for held, _ in sock_diag.socket_descriptors(pid)):
            return pid
    return None
