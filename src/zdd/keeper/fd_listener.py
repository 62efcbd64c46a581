"""A socket that the keeper holds and each start of the app inherits, so it outlives them all."""

from __future__ import annotations

import os
import select

from zdd.host import files, one_socket, sock_diag
from zdd.keeper.listener import BACKLOG
from zdd.keeper.path_listener import PathListener, bind, link

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from zdd.keeper.loop import Loop
    from zdd.keeper.record import Record


class FdListener(PathListener):
    """
    The socket is bound in a folder that then becomes the app's, and is renamed to `keep`.

    So getsockname(2) returns a name in the app's own folder. A server that unlinks that name when it ends (gunicorn)
    unlinks an empty file, the `placeholder`.
    """

    def __init__(self, record: Record, loop: Loop) -> None:
        super().__init__(record, loop)
        self._file: tuple[int, int] | None = None  # identifies the connections of the socket
        self._number = 0  # of the app's folders so far
        # Sockets that are shut down or unreachable, but the app may still serve their connections: with name and file.
        self._former: list[tuple[socket.socket, str, tuple[int, int] | None]] = []
        self._on_loss: Callable[[bool], None] = lambda _: None

    def open(self, on_loss: Callable[[bool], None]) -> None:
        """Bind the socket; bind another one after the app has shut it down. Raises OSError."""
        self._on_loss = on_loss
        self._number += 1
        folder = self._make_app_folder(self._number)
        name = f"{folder}/s"
        fresh = bind(name, self.record.access)
        self._file = sock_diag.file_of(name)
        os.rename(name, self.record.keep)
        self._publish()
        self._hand_over(folder)
        self.listen_socket, self.placeholder = fresh, name
        self.loop.watch(fresh.fileno(), select.POLLRDHUP, lambda events: self._ready(fresh, events))

    def queues(self) -> list[socket.socket]:
        """Return the socket and the former ones."""
        return [former for former, _, _ in self._former] + ([self.listen_socket] if self.listen_socket else [])

    def borrow(self) -> None:
        """Do nothing: the keeper holds the socket anyway."""

    def prepare(self) -> None:
        """Close the former sockets, and make the socket blocking again: all its copies share that flag."""
        for former, _, _ in self._former:
            former.close()
        self._former.clear()
        if self.listen_socket:
            self.listen_socket.setblocking(True)

    def repair(self) -> None:
        """Repair the length of the queue, and the names."""
        if self.listen_socket:
            self.tend()

    def listening(self) -> set[int] | None:
        """Return the inode of the socket."""
        return {os.fstat(self.listen_socket.fileno()).st_ino} if self.listen_socket else None

    def backlog(self) -> int:
        """Count the connections in the queue; while it is empty, which poll(2) says, that costs nothing."""
        poll = select.poll()
        if not self.listen_socket:
            return 0
        poll.register(self.listen_socket, select.POLLIN)
        return one_socket.queued(os.fstat(self.listen_socket.fileno()).st_ino) if poll.poll(0) else 0

    def close(self) -> None:
        """Close all sockets; the kernel resets connections that are still queued."""
        for queue in self.queues():
            self.loop.forget(queue.fileno())
            queue.close()
        self.listen_socket = self.placeholder = self._file = None

    def _mend(self) -> None:
        """Restore the length of the queue, which the app's own listen(2) shortens, and both names."""
        if self.listen_socket:
            self.listen_socket.listen(BACKLOG)
            if not self._has_name():
                self._replace(self.listen_socket, by_app=False)

    def _in_queue(self, file: tuple[int, int] | None) -> int | None:
        """Count the connections in the queue of the socket that we hold: that needs no list of all listeners."""
        return self.backlog() if self.listen_socket and file == self._file else None

    def _bound_to(self) -> list[tuple[tuple[int, int] | None, str]]:
        former = [(file, name) for _, name, file in self._former]
        return [*former, (self._file, self.placeholder)] if self.placeholder else former

    def _ready(self, socket: socket.socket, events: int) -> None:
        if events & (select.POLLHUP | select.POLLRDHUP):
            self._replace(socket, by_app=True)

    def _replace(self, socket: socket.socket, by_app: bool) -> None:
        """Bind another socket, since no connection can arrive at this one. Raises OSError."""
        former = (socket, self.placeholder or "", self._file)
        self.open(self._on_loss)
        self.loop.forget(socket.fileno())
        self._former.append(former)
        self._on_loss(by_app)

    def _has_name(self) -> bool:
        """Return whether `keep` is a name of the socket; if not, restore it from `socket`, its second name."""
        for name in (self.record.keep, self.record.socket):
            if sock_diag.file_of(name) == self._file:
                if name != self.record.keep:
                    files.remove(self.record.keep)
                    link(name, self.record.keep)
                return True
        return False
