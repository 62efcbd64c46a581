"""One small health request at a time, without waiting for it."""

from __future__ import annotations

import errno
import select
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.loop import Loop

_SERVER_ERROR = 500
_ENOUGH = 12  # bytes: "HTTP/1.1 200"


class Probe:
    """Asks the app behind a socket path or a port of 127.0.0.1, and tells whether its status is below 500."""

    told: Callable[[bool], None]

    def __init__(self, loop: Loop, path: str, host: str) -> None:
        self.loop = loop
        self._request = f"GET {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: zdd\r\nConnection: close\r\n\r\n".encode()
        self._socket: socket.socket | None = None
        self._answer = b""

    def ask(self, address: str | int, told: Callable[[bool], None]) -> None:
        """Send a request, giving a former one up; `told` is called from the loop, or at once if nobody listens."""
        self.cancel()
        self.told = told
        family, where = (
            (socket.AF_UNIX, address) if isinstance(address, str) else (socket.AF_INET, ("127.0.0.1", address))
        )
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._answer = b""
        if self._socket.connect_ex(where) not in (0, errno.EINPROGRESS):  # a UNIX socket's full queue: EAGAIN
            self._end(False)
        else:
            self.loop.watch(self._socket.fileno(), select.POLLOUT, self._connected)

    def cancel(self) -> None:
        """Give the request up: `told` is not called any more, and the connection does not count."""
        if self._socket:
            self.loop.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _connected(self, _: int) -> None:
        if self._socket:
            try:
                self._socket.send(self._request)
            except OSError:
                self._end(False)
            else:
                self.loop.watch(self._socket.fileno(), select.POLLIN, self._readable)

    def _readable(self, _: int) -> None:
        if not self._socket:
            return
        try:
            data = self._socket.recv(_ENOUGH)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._answer += data
        if not data or len(self._answer) >= _ENOUGH:
            self._end(
                self._answer.startswith(b"HTTP/") and self._answer[9:12].isdigit() and self._status() < _SERVER_ERROR
            )

    def _status(self) -> int:
        return int(self._answer[9:12])

    def _end(self, answered: bool) -> None:
        self.cancel()
        self.told(answered)
