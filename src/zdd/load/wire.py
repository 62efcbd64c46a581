from __future__ import annotations

import errno
import os
import select
import socket
from collections import deque
from select import EPOLLIN, EPOLLOUT
from typing import TYPE_CHECKING, Any

from zdd.load.samples import REFUSED, RESET, TIMEOUT, Job, Recorder

if TYPE_CHECKING:
    from zdd.load.secure import Secure, SecureSocket

NOTHING = memoryview(b"")


class Poller:
    """Calls the wires whose sockets are ready."""

    def __init__(self, stdin: int | None = None) -> None:
        self.wires: dict[int, Wire] = {}  # by descriptor
        self._epoll = select.epoll()
        self._watched = [self._epoll.fileno()] + ([] if stdin is None else [stdin])

    def watch(self, wire: Wire, fd: int, events: int) -> None:
        """Call this wire for these events until its descriptor is closed."""
        if fd in self.wires:
            self._epoll.modify(fd, events)
        else:
            self.wires[fd] = wire
            self._epoll.register(fd, events)

    def wait(self, seconds: float) -> bool:
        """Handle ready wires, waiting at most so long for the first event; return False once stdin has ended."""
        alive = True
        if seconds > 0:  # select(2) waits precisely: epoll_wait(2) would round up to milliseconds
            for fd in select.select(self._watched, [], [], seconds)[0]:
                if fd in self._watched[1:] and not os.read(fd, 4096):
                    self._watched.remove(fd)
                    alive = False
        for fd, events in self._epoll.poll(0):
            if wire := self.wires.get(fd):
                wire.ready(events)
        return alive

    def close(self) -> None:
        """Close every connection."""
        for wire in list(self.wires.values()):
            wire.leave()
        self._epoll.close()


class Wire:
    """
    A non-blocking connection to the target, opened when it is first needed, that carries one request at a time.

    An idle wire is at the end of `idle`. Subclasses interpret the bytes; the wire calls their `_opened` (connected or
    reused: send the request), `_received`, and `_ended`, with the error if there was one. With `secure` it speaks TLS.
    """

    def __init__(
        self,
        address: tuple[int, Any],
        poller: Poller,
        recorder: Recorder,
        idle: deque[Wire],
        secure: Secure | None = None,
    ) -> None:
        self.recorder = recorder
        self._secure = secure
        self._family, self._address = address
        self._poller = poller
        self._idle = idle
        idle.append(self)
        self._job: Job | None = None
        self._last = -1  # the sample of the last request on this connection
        self._sock: socket.socket | SecureSocket | None = None
        self._connecting = False
        self._unsent = NOTHING

    def _opened(self) -> None: ...

    def _received(self, data: bytes) -> None: ...

    def _ended(self, error: str) -> None: ...

    def leave(self) -> None:
        """Close the connection at the end of the load."""
        self.close()

    def begin(self, job: Job) -> None:
        """Send a request; the wire is idle and no longer in `idle`."""
        self.read()  # the server may have closed it since the last poll: then this request needs a new connection
        self._job, job.carrier = job, self
        self.recorder.sent += 1
        if self._sock is None:
            self._open()
        else:
            self._opened()

    def expire(self) -> None:
        """End the request by a timeout, and its connection, on which the answer may still arrive."""
        detail = "not connected" if self._connecting else "no whole answer"
        self.close()
        self._done(TIMEOUT, detail)

    def _done(self, outcome: int, detail: str = "", value: str = "") -> None:
        assert self._job is not None
        self._last = self.recorder.done(self._job, outcome, detail, value)
        self._job = None
        self._idle.append(self)

    def _open(self) -> None:
        self._sock = opening = socket.socket(self._family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        if self._family != socket.AF_UNIX:
            opening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = opening.connect_ex(self._address)
        self._connecting = error == errno.EINPROGRESS
        if self._connecting:
            self._poller.watch(self, opening.fileno(), EPOLLOUT)
        else:
            self._connected(opening, error)  # EAGAIN is the full queue of a UNIX socket; nginx would answer 502

    def _connected(self, opened: socket.socket, error: int) -> None:
        self._connecting = False
        # A free port of this machine that was chosen as our own port too connects to itself (RFC 9293 section 3.5).
        if not error and self._family != socket.AF_UNIX and opened.getsockname() == opened.getpeername():
            error = errno.ECONNREFUSED
        if error:
            self.close()
            self._done(REFUSED, os.strerror(error))
        elif self._secure:
            self._poller.watch(self, opened.fileno(), EPOLLOUT)
            self._begin_tls(self._secure, opened)
        else:
            self._poller.watch(self, opened.fileno(), EPOLLIN)
            self._opened()

    def _begin_tls(self, secure: Secure, opened: socket.socket) -> None:
        fd = opened.fileno()
        try:
            self._sock = secured = secure.wrap(opened)
        except OSError as error:  # the server has closed it already, and the descriptor is gone
            self._poller.wires.pop(fd, None)
            self._sock = None
            self._done(RESET, f"no handshake: {error}")
        else:
            self._shake_hands(secured)

    def _shake_hands(self, secured: SecureSocket) -> None:
        try:
            awaited = secured.shake_hands()
        except OSError as error:
            self.close()
            self._done(RESET, f"no handshake: {error}")
            return
        self._connecting = bool(awaited)
        self._poller.watch(self, secured.fileno(), awaited or EPOLLIN)
        if not awaited:
            self._opened()

    def close(self) -> None:
        """Close the connection."""
        if self._sock is not None:
            self._poller.wires.pop(self._sock.fileno(), None)
            self._sock.close()
        self._sock, self._connecting, self._unsent = None, False, NOTHING

    def send(self, data: bytes) -> None:
        """Send as much as the socket takes now, and the rest later."""
        waiting = bool(self._unsent)
        self._unsent = memoryview(bytes(self._unsent) + data if waiting else data)
        if not waiting:
            self._flush(watched=False)

    def _flush(self, *, watched: bool) -> None:
        assert self._sock is not None
        wanted = True
        try:
            self._unsent = self._unsent[self._sock.send(self._unsent) :] or NOTHING
        except BlockingIOError:
            pass
        except OSError:
            wanted = False  # reading returns the reason, or an answer that the server sent before it closed
        wanted = wanted and bool(self._unsent)
        if wanted != watched:
            self._poller.watch(self, self._sock.fileno(), EPOLLIN | EPOLLOUT if wanted else EPOLLIN)

    def ready(self, events: int) -> None:
        """Handle events; called by the poller."""
        assert self._sock is not None
        if self._connecting and isinstance(self._sock, socket.socket):
            self._connected(self._sock, self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            return
        if self._connecting and not isinstance(self._sock, socket.socket):
            self._shake_hands(self._sock)
            return
        if events & EPOLLOUT:
            self._flush(watched=True)
        if events & ~EPOLLOUT:  # readable, or an error or end, which reading returns
            self.read()

    def read(self) -> None:
        """Read the bytes that have arrived, if any."""
        if self._sock is None:
            return
        try:
            data, error = self._sock.recv(65536), ""
        except BlockingIOError:
            return
        except OSError as failure:
            data, error = b"", failure.strerror or str(failure)
        if data:
            self._received(data)
        else:
            self._ended(error)
            self.close()
