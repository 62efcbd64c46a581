"""
The health check of gRPC: one call of grpc.health.v1.Health/Check over HTTP/2 in plain text.

https://github.com/grpc/grpc/blob/master/doc/health-checking.md, RFC 9113.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import NamedTuple

from zdd.conf.services import GRPC_HEALTH
from zdd.host.light import socket
from zdd.instances.health import hpack, request
from zdd.instances.health.request import NotHttp

NO_MESSAGE = b"\0\0\0\0\0"  # a message without fields: it is not compressed and has no bytes
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _CONTINUATION = 0, 1, 3, 4, 6, 7, 9
_ACK = _END_STREAM = 1
_END_HEADERS, _PADDED, _PRIORITY = 4, 8, 32
_HEAD = 9  # bytes before each frame's content
_LONGEST = 1 << 20  # bytes of an answer that are read
_SLICE = 0.05  # seconds between calls of `interrupt`
_SERVING, _STATES = 1, {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
OK = 0
CODES = {
    1: "CANCELLED",
    2: "UNKNOWN",
    3: "INVALID_ARGUMENT",
    4: "DEADLINE_EXCEEDED",
    5: "NOT_FOUND",
    7: "PERMISSION_DENIED",
    8: "RESOURCE_EXHAUSTED",
    12: "UNIMPLEMENTED",
    13: "INTERNAL",
    14: "UNAVAILABLE",
    16: "UNAUTHENTICATED",
}
_NO_HEALTH_SERVICE = (5, 7, 12, 16)  # the server answers, but its health is not for us to know
_NOT_GRPC = "it speaks HTTP/1.1: leave protocol out"


class Reply(NamedTuple):
    """The answer to a call: HTTP's status, gRPC's (None without one) with its words, and the message."""

    status: int | None
    code: int | None
    words: str
    message: bytes

    @property
    def problem(self) -> str | None:
        """What is wrong with the server's health, None if nothing is known to be."""
        if self.status != 200:
            return f"was answered {self.status}"
        if self.code in _NO_HEALTH_SERVICE or (self.code == OK and self.state == _SERVING):
            return None
        if self.code == OK:
            return f"says {_STATES.get(self.state, self.state)}"
        code = "without a status" if self.code is None else CODES.get(self.code, str(self.code))
        return f"was answered {code}" + (f" ({self.words})" if self.words else "")

    @property
    def notice(self) -> str:
        """What a healthy answer rests on, if it does not say SERVING."""
        if self.code == OK:
            return ""
        said = CODES.get(self.code or OK, str(self.code))
        return f"no answer of grpc.health.v1.Health: a call was answered {said}, taken as healthy"

    @property
    def state(self) -> int:
        """The field `status` of a HealthCheckResponse, 0 if it is not there."""
        content = self.message[len(NO_MESSAGE) :]
        return content[1] if content[:1] == b"\x08" and len(content) > 1 else 0


def ask(
    connection: socket.socket, host: str, timeout: Callable[[], float], interrupt: Callable[[], None] = lambda: None
) -> Reply:
    """
    Make the call and return the answer, closing the connection; the rest is as for `request.ask`.

    Raises TimeoutError, NotHttp for what is no gRPC, and OSError.
    """
    with connection:
        connection.sendall(_PREFACE + _frame(_SETTINGS) + _call(host))
        return _Conversation(connection, timeout, interrupt).reply()


class _Conversation:
    def __init__(self, connection: socket.socket, timeout: Callable[[], float], interrupt: Callable[[], None]) -> None:
        self._connection, self._timeout, self._interrupt = connection, timeout, interrupt
        self._ready = select.poll()
        self._ready.register(connection, select.POLLIN)
        self._buffer = b""
        self._received = 0
        self._decoder = hpack.Decoder()
        self._headers: dict[str, str] = {}
        self._block = self._message = b""

    def reply(self) -> Reply:
        """Read until the stream has ended."""
        while True:
            kind, flags, content = self._next()
            if kind == _DATA:
                self._message += _unpadded(content, flags)
            elif kind in (_HEADERS, _CONTINUATION):
                self._take_headers(kind, flags, content)
            elif kind == _RESET or (kind == _GOAWAY and content[4:8] != b"\0\0\0\0"):
                raise NotHttp("the call was reset")
            elif kind in (_SETTINGS, _PING) and not flags & _ACK:
                self._connection.sendall(_frame(kind, _ACK, content if kind == _PING else b""))
            if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
                break
        status, code = self._headers.get(":status", ""), self._headers.get("grpc-status", "")
        words = self._headers.get("grpc-message", "")[:200]
        return Reply(_number(status), _number(code), words, self._message)

    def _take_headers(self, kind: int, flags: int, content: bytes) -> None:
        if kind == _HEADERS:
            content = _unpadded(content, flags)
            content = content[5:] if flags & _PRIORITY else content
        self._block += content
        if flags & _END_HEADERS:
            try:
                self._headers |= dict(self._decoder.decode(self._block))
            except hpack.Damaged:
                raise NotHttp("the answer's headers cannot be read") from None
            self._block = b""

    def _next(self) -> tuple[int, int, bytes]:
        """Return the next frame: its kind, its flags and its content."""
        self._fill(_HEAD)
        if self._buffer.startswith(b"HTTP/"):
            raise NotHttp("the answer is HTTP/1", _NOT_GRPC)
        end = _HEAD + int.from_bytes(self._buffer[:3])
        if end > _LONGEST:
            raise NotHttp(f"the answer is not HTTP/2: {self._buffer[:80]!r}")
        self._fill(end)
        frame, self._buffer = self._buffer[:end], self._buffer[end:]
        return frame[3], frame[4], frame[_HEAD:]

    def _fill(self, length: int) -> None:
        while len(self._buffer) < length:
            self._interrupt()
            left = self._timeout()
            if not self._ready.poll(1000 * max(0.0, min(_SLICE, left))):
                if left > 0:
                    continue
                raise TimeoutError
            data = self._connection.recv(65536)
            self._received += len(data)
            if not data or self._received > _LONGEST:
                raise NotHttp(request.CLOSED if not data else "the answer has no end")
            self._buffer += data


def _call(host: str) -> bytes:
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": GRPC_HEALTH,
        ":authority": host,
        "content-type": "application/grpc",
        "te": "trailers",
        "user-agent": "zddeploy",
    }
    block = b"".join(b"\0" + _text(name) + _text(value) for name, value in fields.items())
    return _frame(_HEADERS, _END_HEADERS, block, 1) + _frame(_DATA, _END_STREAM, NO_MESSAGE, 1)


def _frame(kind: int, flags: int = 0, content: bytes = b"", stream: int = 0) -> bytes:
    return len(content).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + content


def _text(word: str) -> bytes:
    """Return a string of HPACK, which has its length in front (5.2); of a longer one than 126 bytes the beginning."""
    data = word.encode("ascii", "backslashreplace")[:126]
    return bytes([len(data)]) + data


def _unpadded(content: bytes, flags: int) -> bytes:
    return content[1 : len(content) - content[0]] if flags & _PADDED and content else content


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else None
