"""One small health request at a time, without blocking."""

from __future__ import annotations

import errno
import select

from zdd.host.light import socket
from zdd.keeper.listener import endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.loop import Loop

_CHUNK = 65536
_MOST = 1 << 20  # bytes of an answer that are read, and
_LINGER = 5.0  # seconds that it may take after its status: many apps log a traceback if it is cut off earlier
_STATUS_AT = slice(9, 12)  # of "HTTP/1.1 200"
# What any FastCGI application answers (php-fpm): a request for FCGI_MAX_CONNS, and how its answer begins.
_GET_VALUES, _VALUES = b"\x01\x09\0\0\0\x10\0\0\x0e\0FCGI_MAX_CONNS", b"\x01\x0a"
_HTTP_2 = b"\x04\0\0\0\0\0"  # after three bytes: the SETTINGS of an HTTP/2 server (RFC 9113), such as gRPC


class Probe:
    """
    Sends a request to a socket path or a port of 127.0.0.1, and reports the status of the answer.

    The status is 0 for an answer that is not HTTP, None for no answer, and 200 for HTTP/2, which this does not speak.
    After a request that was not answered at all the next one is in FastCGI, and 200 if the answer is; then in turns.
    """

    on_answer: Callable[[int | None], None]

    def __init__(self, loop: Loop, path: str, host: str) -> None:
        self.loop = loop
        self._request = f"GET {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: zdd\r\nConnection: close\r\n\r\n".encode()
        self._socket: socket.socket | None = None
        self._answer = b""  # its beginning
        self._received = 0
        self._in_fastcgi = self._next_in_fastcgi = self._is_sent = False

    def ask(self, address: str | int, on_answer: Callable[[int | None], None]) -> None:
        """Send a request and cancel the former one; `on_answer` is called by the loop, or at once if none listens."""
        self.cancel()
        self.on_answer = on_answer
        # The next is in HTTP again, even if this one is cancelled: an app may keep open what it does not understand.
        self._in_fastcgi, self._next_in_fastcgi, self._is_sent = self._next_in_fastcgi, False, False
        family, target = endpoint(address)
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._answer, self._received = b"", 0
        if self._socket.connect_ex(target) in (0, errno.EINPROGRESS):  # a UNIX socket's full queue: EAGAIN
            self.loop.watch(self._socket.fileno(), select.POLLOUT, self._ready)
        else:
            self.cancel()
            on_answer(None)

    def cancel(self) -> None:
        """Close the connection, which would be counted like any other; its answer is not reported."""
        self.loop.deadlines.cancel(self.cancel)
        if self._socket:
            self.loop.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _ready(self, events: int) -> None:
        if not self._socket:
            return
        try:
            if events & select.POLLOUT:
                self._socket.send(_GET_VALUES if self._in_fastcgi else self._request)
                self._is_sent = True
                self.loop.watch(self._socket.fileno(), select.POLLIN, self._ready)
                return
            data = self._socket.recv(_CHUNK)
        except OSError:
            data = b""
        enough = len(_VALUES) if self._in_fastcgi else _STATUS_AT.stop
        answered = len(self._answer) >= enough
        self._answer = (self._answer + data)[: _STATUS_AT.stop]
        self._received += len(data)
        if not data or self._received > _MOST:
            self.cancel()
        if not answered and (not data or len(self._answer) >= enough):
            self._report()

    def _report(self) -> None:
        """Report the status, and let the app end its answer, unless it waits for more from us."""
        self._next_in_fastcgi = self._is_sent and not (self._answer or self._in_fastcgi)
        if self._in_fastcgi:
            self.cancel()
            self.on_answer(200 if self._answer.startswith(_VALUES) else None)
            return
        if self._socket:
            self.loop.deadlines.at(_LINGER, self.cancel)
        self.on_answer(_status(self._answer) if self._answer else None)


def _status(answer: bytes) -> int:
    """Return the status that an answer begins with."""
    status = answer[_STATUS_AT] if answer.startswith(b"HTTP/") else b""
    status = b"200" if answer[3:9] == _HTTP_2 else status
    return int(status) if status.isdigit() else 0
