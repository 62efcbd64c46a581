"""Connections out of a queue that nobody serves, handed on to somebody who does."""

from __future__ import annotations

import errno
import os
import select
import socket

from zdd.keeper.listener import endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.loop import Loop

_CHUNK = 65536
_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR


class Relay:
    """
    Takes connections while no app runs, drops those whose client gave up, and relays the rest.

    A client that gave up while it waited would have its request executed all the same by the app that starts on the
    queue: the request is in the kernel already, and only an answer would find out that nobody is there.
    """

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.waiting: list[socket.socket] = []
        self.pipes: set[_Pipe] = set()

    @property
    def busy(self) -> bool:
        """Tell whether anybody waits or is served."""
        return bool(self.waiting or self.pipes)

    def take(self, queues: list[socket.socket]) -> bool:
        """
        Accept who waits in these queues, as far as there are descriptors for both ends of each; False if some are left.

        No app may run that accepts from them: they are made not to block.
        """
        room = (os.sysconf("SC_OPEN_MAX") - 64) // 2 - len(self.pipes)
        for queue in queues:
            queue.setblocking(False)
            try:
                while len(self.waiting) < room:
                    self.waiting.append(queue.accept()[0])
            except OSError:  # BlockingIOError: that was all
                continue
            return False
        return True

    def release(self, address: str | int | None) -> bool:
        """
        Relay those that wait to the socket at this path, or to this port of 127.0.0.1; close them where it is None.

        Return False when some wait still, since its queue is full.
        """
        waiting, self.waiting = self.waiting, []
        for client in waiting:
            if address is None or _has_hung_up(client):
                client.close()
                continue
            family, where = endpoint(address)
            server = socket.socket(family, socket.SOCK_STREAM)
            server.setblocking(False)
            refusal = server.connect_ex(where)
            if refusal in (0, errno.EINPROGRESS):  # a port's: whether it is refused, the pipe finds out
                self.pipes.add(_Pipe(self.loop, client, server, self.pipes.discard))
                continue
            server.close()
            if refusal == errno.EAGAIN:
                self.waiting.append(client)
            else:
                client.close()
        return not self.waiting

    def close(self) -> None:
        """Cut what waits and what is relayed."""
        self.release(None)
        for pipe in list(self.pipes):
            pipe.close()


class _Pipe:
    """A client and a server: what one sends goes to the other, until the server has ended or something broke."""

    def __init__(
        self, loop: Loop, client: socket.socket, server: socket.socket, closed: Callable[[_Pipe], object]
    ) -> None:
        self.loop, self.server, self.closed = loop, server, closed
        self.other = {client: server, server: client}
        self.unsent = {client: b"", server: b""}  # what is still to be written to each
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
        """Read only what can be passed on: so a slow reader slows the writer down, as without a relay."""
        read = select.POLLIN if end in self.reading and not self.unsent[self.other[end]] else 0
        write = select.POLLOUT if self.unsent[end] else 0
        if read | write:
            self.loop.watch(end.fileno(), read | write, lambda events: self._ready(end, events))
        else:
            self.loop.forget(end.fileno())  # a hang-up is reported unasked, again and again

    def _ready(self, end: socket.socket, events: int) -> None:
        if end not in self.other:  # closed by an event of the same turn
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
            self.reading.discard(end)  # it has said everything, or left: let the server know
            self.server.shutdown(socket.SHUT_WR)

    def _write(self, end: socket.socket) -> None:
        self.unsent[end] = self.unsent[end][end.send(self.unsent[end]) :]


def _has_hung_up(client: socket.socket) -> bool:
    poll = select.poll()
    poll.register(client, _GONE)
    return bool(poll.poll(0))
