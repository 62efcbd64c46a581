"""Connections that no app serves, relayed to another socket."""

from __future__ import annotations

import errno
import os
import select

from zdd.host.light import socket
from zdd.keeper.listener import endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.loop import Loop

_CHUNK = 65536
_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


class Relay:
    """
    Accepts connections while no app runs, drops those whose client has hung up, and relays the rest.

    An app that starts on the queue would execute the request of a client that has hung up: the kernel has the request,
    and only sending the answer would show that the client is gone.
    """

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.waiting: list[socket.socket] = []
        self.pipes: set[_Pipe] = set()
        self.relayed: Callable[[str | int], object] = lambda address: None  # noqa: ARG005  (called with the target)

    @property
    def busy(self) -> bool:
        """Return whether connections wait or are relayed."""
        return bool(self.waiting or self.pipes)

    def take(self, queues: list[socket.socket]) -> bool:
        """
        Accept the queued connections, as long as descriptors are free for both ends; return False if some are left.

        No app may accept from these queues meanwhile: they become non-blocking.
        """
        room = (os.sysconf("SC_OPEN_MAX") - 64) // 2 - len(self.pipes)
        for queue in queues:
            queue.setblocking(False)
            try:
                while len(self.waiting) < room:
                    self.waiting.append(queue.accept()[0])
            except OSError:  # BlockingIOError: the queue is empty
                continue
            return False
        return True

    def take_from_app(self, queues: list[socket.socket]) -> None:
        """Accept the queued connections of an app that runs, which may be about to accept, too, and to wait for one."""
        blocking = [queue for queue in queues if os.get_blocking(queue.fileno())]
        self.take(queues)
        for queue in blocking:
            queue.setblocking(True)

    def release(self, address: str | int | None) -> bool:
        """
        Relay the waiting connections to this path, or to this port of 127.0.0.1; close them if it is None.

        Return False if some still wait, since the queue of the target is full.
        """
        waiting, self.waiting = self.waiting, []
        for client in waiting:
            if address is None or _has_hung_up(client):
                client.close()
                continue
            family, target = endpoint(address)
            server = socket.socket(family, socket.SOCK_STREAM)
            server.setblocking(False)
            refusal = server.connect_ex(target)
            if refusal in (0, errno.EINPROGRESS):  # for a port, the pipe notices a refusal
                self.pipes.add(_Pipe(self.loop, client, server, self.pipes.discard))
                self.relayed(address)
                continue
            server.close()
            if refusal == errno.EAGAIN:
                self.waiting.append(client)
            else:
                client.close()
        return not self.waiting

    def close(self) -> None:
        """Close the waiting and the relayed connections."""
        self.release(None)
        for pipe in list(self.pipes):
            pipe.close()


class _Pipe:
    """A client and a server: the data of each goes to the other, until the server closes or an error occurs."""

    def __init__(
        self, loop: Loop, client: socket.socket, server: socket.socket, closed: Callable[[_Pipe], object]
    ) -> None:
        self.loop, self.server, self.closed = loop, server, closed
        self.other = {client: server, server: client}
        self.unsent = {client: b"", server: b""}  # data still to be written to each
        self.reading = {client, server}
        for end in self.other:
            end.setblocking(False)
            self._watch(end)

    def close(self) -> None:
        """Close both ends."""
        for end in self.other:
            self.loop.forget(end.fileno())
            end.close()
        self.other.clear()
        self.closed(self)

    def _watch(self, end: socket.socket) -> None:
        """Read only if the data can be passed on: so a slow reader slows down the writer, as without a relay."""
        read = select.POLLIN if end in self.reading and not self.unsent[self.other[end]] else 0
        write = select.POLLOUT if self.unsent[end] else 0
        if read | write:
            self.loop.watch(end.fileno(), read | write, lambda events: self._ready(end, events))
        else:
            self.loop.forget(end.fileno())  # poll(2) would report a hang-up again and again

    def _ready(self, end: socket.socket, events: int) -> None:
        if end not in self.other:  # closed by another event of the same turn
            return
        try:
            if events & select.POLLOUT:
                self._write(end)
            if end in self.reading and not self.unsent[self.other[end]]:
                self._read(end)
        except BlockingIOError:
            pass
        except OSError:
            self.close()
        for each in self.other:
            self._watch(each)

    def _read(self, end: socket.socket) -> None:
        data = end.recv(_CHUNK)
        if data:
            self.unsent[self.other[end]] = data
            self._write(self.other[end])
        elif end is self.server:
            self.close()
        else:
            self.reading.discard(end)  # it has sent everything, or hung up: pass that on
            self.server.shutdown(socket.SHUT_WR)

    def _write(self, end: socket.socket) -> None:
        self.unsent[end] = self.unsent[end][end.send(self.unsent[end]) :]


def _has_hung_up(client: socket.socket) -> bool:
    poll = select.poll()
    poll.register(client, _GONE)
    return bool(poll.poll(0))
