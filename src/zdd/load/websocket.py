"""WebSocket echoes over long-lived connections (RFC 6455)."""

from __future__ import annotations

import os
from time import monotonic
from typing import Any

from zdd.load.http import LONGEST, MalformedError, outcome_of, read_head
from zdd.load.samples import CUT, OK, RESET, Job
from zdd.load.wire import Wire

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
ORDERLY = (1000, 1001, 1012)  # normal, going away, service restart: the server invites clients to reconnect
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # the right answer to our key; both are the example of section 1.3
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a complete masked frame of a client (section 5.2); the payload has at most 125 bytes."""
    mask = os.urandom(4)
    return bytes((0x80 | opcode, 0x80 | len(payload))) + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


def read_frame(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Return the server's frame at the start of data: first byte, payload, and the rest. None if it is incomplete."""
    if data and (data[0] & 0x70 or data[1:2] > b"\x7f"):
        raise MalformedError(f"no frame of a server: {data[:2].hex()}")
    if len(data) < 2 or len(data) < (start := {126: 4, 127: 10}.get(data[1], 2)):
        return None
    end = start + (int.from_bytes(data[2:start]) if start > 2 else data[1])
    return (data[0], data[start:end], data[end:]) if len(data) >= end else None


class WebSocket(Wire):
    """
    A long-lived connection whose requests are messages that the server must echo.

    An orderly close is a reconnect: the server has announced it, so a message without an echo is sent again on the new
    connection. Any other end is a cut: it fails the message under way or, without one, counts as a failed request of
    its own. Time and failures of the handshake count for its message.
    """

    def __init__(self, request: bytes, kind: int, record: bytes, *wire: Any) -> None:
        super().__init__(*wire)
        self._request = request
        self._kind = kind
        self._record = record
        self._count = 0
        self._data = self._message = b""
        self._value = ""
        self._established = False

    def close(self) -> None:
        """Close the connection; the next one begins with a handshake."""
        super().close()
        self._established, self._data, self._message = False, b"", b""

    def leave(self) -> None:
        """Close in order, with a close frame."""
        if self._established:
            self.send(frame(CLOSE, (1000).to_bytes(2)))
        self.close()

    def _opened(self) -> None:
        if self._established:
            self._count += 1
            self.send(frame(TEXT, b"zdd %d" % self._count))
        else:
            self.send(self._request)

    def _received(self, data: bytes) -> None:
        self._data += data
        try:
            if not self._established:
                self._read_handshake()
            while self._established and (next_frame := read_frame(self._data)):
                first, payload, self._data = next_frame
                self._read_frame(first, payload)
            if len(self._data) + len(self._message) > LONGEST:
                raise MalformedError(f"head, frame or message longer than {LONGEST} bytes")
        except MalformedError as error:
            self._cut(str(error))

    def _ended(self, error: str) -> None:
        if self._established or self._data:
            self._cut(f"{error or 'closed'} without a close frame")
        else:
            self._done(RESET, error or "closed before the answer")

    def _read_handshake(self) -> None:
        text, end, rest = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        head = read_head(text)
        if head.status != 101:
            self.close()
            self._done(outcome_of(head.status) or CUT, f"status {head.status} to the handshake")
        elif head.value(b"sec-websocket-accept") != ACCEPT:
            raise MalformedError("the handshake's answer does not accept our key")
        else:
            self._established, self._data, self._value = True, rest, head.value(self._record)
            self._opened()

    def _read_frame(self, first: int, payload: bytes) -> None:
        opcode = first & 0x0F
        if opcode == CLOSE:
            self._closed(payload)
        elif opcode == PING:
            self.send(frame(PONG, payload))
        elif opcode != PONG:
            self._message += payload
            if first & 0x80:  # the last fragment
                self._echoed()

    def _echoed(self) -> None:
        message, self._message = self._message, b""
        if self._job is None or message != b"zdd %d" % self._count:
            raise MalformedError(f"no echo of ours: {message[:60]!r}")
        self._done(OK, value=self._value)

    def _closed(self, payload: bytes) -> None:
        self.send(frame(CLOSE, payload[:2]))
        code = int.from_bytes(payload[:2]) if payload else ORDERLY[0]  # no code is orderly, too (section 7.1.5)
        if code not in ORDERLY:
            self._cut(f"closed with code {code}")
            return
        self.close()
        self.recorder.reconnected["websocket"] += 1
        if self._job:
            self._open()

    def _cut(self, detail: str) -> None:
        self.close()
        if self._job:
            self._done(CUT, detail)
        else:
            self.recorder.done(Job(monotonic(), self._kind), CUT, detail)
