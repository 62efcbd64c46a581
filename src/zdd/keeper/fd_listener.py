"""A socket that the keeper holds and every start of the app inherits: it outlives each of them."""

from __future__ import annotations

import os
import select

from zdd.host import files, sock_diag
from zdd.keeper.listener import BACKLOG, connections_to_path
from zdd.keeper.path_listener import PathListener, bind, link

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from zdd.keeper.loop import Loop
    from zdd.keeper.record import Record


class _Bound:
    """A socket, the name that it was bound to, and the file by which its connections are counted."""

    def __init__(self, socket: socket.socket, name: str, file: tuple[int, int] | None) -> None:
        self.socket = socket
        self.name = name
        self.file = file


class FdListener(PathListener):
    """
    The socket is bound in a folder that is the app's from then on, and then renamed to `keep`.

    So getsockname(2) tells the app a name in its own folder. A server that unlinks that name when it ends (gunicorn)
    unlinks an empty file, which `placeholder` names.
    """

    def __init__(self, record: Record, loop: Loop) -> None:
        super().__init__(record, loop)
        self._bound: _Bound | None = None
        self._number = 0  # of the app's folders so far
        self._former: list[_Bound] = []  # shut down or unreachable, but the app may still serve connections of theirs
        self._on_loss: Callable[[bool], None] = lambda _: None

    def open(self, on_loss: Callable[[bool], None]) -> None:
        """Bind the socket; again, when the app has shut it down. Raises OSError."""
        self._on_loss = on_loss
        self._number += 1
        folder = self._make_app_folder(self._number)
        name = f"{folder}/s"
        fresh = bind(name, self.record.access)
        self._bound = _Bound(fresh, name, sock_diag.file_of(name))
        os.rename(name, self.record.keep)
        self._publish()
        self._hand_over(folder)
        self.listen_socket, self.placeholder = fresh, name
        self.loop.watch(fresh.fileno(), select.POLLRDHUP, lambda events: self._ready(fresh, events))

    def queues(self) -> list[socket.socket]:
        """Return the socket, and those before it."""
        return [former.socket for former in self._former] + ([self.listen_socket] if self.listen_socket else [])

    def prepare(self) -> None:
        """Close what former apps have shut down, and make the socket block again, which all its copies share."""
        for former in self._former:
            former.socket.close()
        self._former.clear()
        if self.listen_socket:
            self.listen_socket.setblocking(True)

    def repair(self) -> None:
        """Repair the queue and the names."""
        if self.listen_socket:
            self.tend()

    def tend(self) -> float:
        """Keep the queue as long as it can be, since the app's own listen(2) cuts it, and both names in place."""
        try:
            if self.listen_socket and self._bound:
                self.listen_socket.listen(BACKLOG)
                if not self._has_name():
                    self._replace(self.listen_socket, by_app=False)
        except OSError:  # the folder is gone: it may change again
            pass
        return super().tend()

    def connections(self) -> int:
        """Count the connections, also those that came by a socket of before."""
        bound = [*self._former, *([self._bound] if self._bound else [])]
        return sum(connections_to_path(one.file, one.name, self.record.nginx_pid_file) for one in bound)

    def accepted(self) -> set[int]:
        """Return the accepted connections."""
        return sock_diag.accepted(self._bound.file) if self._bound and self._bound.file else set()

    def served(self) -> int:
        """Count the accepted connections: all connections less those in the queue."""
        file = self._bound.file if self._bound else None
        return max(0, self.connections() - (sock_diag.queued(file) or 0 if file else 0))

    def listening(self) -> set[int] | None:
        """Return the inode of the socket."""
        return {os.fstat(self.listen_socket.fileno()).st_ino} if self.listen_socket else None

    def has_waiting(self) -> bool:
        """Ask poll(2), for which a socket is readable when its queue is not empty."""
        poll = select.poll()
        if self.listen_socket:
            poll.register(self.listen_socket, select.POLLIN)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close it; the kernel resets what is still in a queue."""
        for queue in self.queues():
            self.loop.forget(queue.fileno())
            queue.close()
        self.listen_socket = self._bound = None

    def _ready(self, socket: socket.socket, events: int) -> None:
        if events & (select.POLLHUP | select.POLLRDHUP):
            self._replace(socket, by_app=True)

    def _replace(self, socket: socket.socket, by_app: bool) -> None:
        """Bind another socket, since nothing more can come by this one. Raises OSError."""
        former = self._bound
        self.open(self._on_loss)
        self.loop.forget(socket.fileno())
        self._former += [former] if former else []
        self._on_loss(by_app)

    def _has_name(self) -> bool:
        """Tell whether `keep` is the socket's name, and restore it from the path, its second one, where it is not."""
        for name in (self.record.keep, self.record.socket):
            if self._bound and sock_diag.file_of(name) == self._bound.file:
                if name != self.record.keep:
                    files.remove(self.record.keep)
                    link(name, self.record.keep)
                return True
        return False
