"""
HTTP/1.1 over a keep-alive connection (RFC 9112).

Answers are read piece by piece and strictly: an answer that a browser could not use is malformed.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from functools import lru_cache
from typing import Any, NamedTuple

from zdd.load.samples import CUT, OK, RESET, SERVER_ERROR, STATUS
from zdd.load.wire import Wire

LONGEST = 65536
CHUNKED, UNTIL_CLOSE = -1, -2  # lengths other than a number of bytes
STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: .*)?")
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})\s*(?:;.*)?")


class MalformedError(Exception):
    """The bytes are not a valid answer."""


class Head(NamedTuple):
    """An answer's head: `keep` says whether the connection can be reused, `length` is that of the body."""

    status: int
    keep: bool
    length: int
    fields: dict[bytes, bytes]

    def value(self, name: bytes) -> str:
        """Return the value of a field (name in lower case), empty if it is missing."""
        return self.fields[name].decode("latin-1") if name in self.fields else ""


@lru_cache(maxsize=512)  # within one second a server's heads are often the same bytes
def read_head(head: bytes) -> Head:
    """Return the head in these bytes, which omit its empty line. Raises MalformedError (sections 4, 5, 6.3 and 9.3)."""
    first, *lines = head.split(b"\r\n")
    match = STATUS_LINE.fullmatch(first)
    if match is None:
        raise MalformedError(f"no status line: {first[:60]!r}")
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            raise MalformedError(f"no header field: {line[:60]!r}")
        name, value = name.lower(), value.strip()
        fields[name] = fields[name] + b", " + value if name in fields else value
    status, length = int(match[2]), _body_length(int(match[2]), fields)
    tokens = {token.strip() for token in fields.get(b"connection", b"").lower().split(b",")}
    keep = b"close" not in tokens and (match[1] == b"1" or b"keep-alive" in tokens)
    return Head(status, keep and length != UNTIL_CLOSE and status != 101, length, fields)


def _body_length(status: int, fields: dict[bytes, bytes]) -> int:
    if status < 200 or status in (204, 304):
        return 0
    if b"transfer-encoding" in fields:
        last = fields[b"transfer-encoding"].lower().rpartition(b",")[2].strip()
        return CHUNKED if last == b"chunked" else UNTIL_CLOSE
    if b"content-length" not in fields:
        return UNTIL_CLOSE
    lengths = {length.strip() for length in fields[b"content-length"].split(b",")}
    if len(lengths) > 1 or not re.fullmatch(rb"[0-9]{1,18}", length := lengths.pop()):
        raise MalformedError(f"content-length: {fields[b'content-length'][:60]!r}")
    return int(length)


class Answer:
    """
    One answer while it arrives. Bodies are counted, not kept.

    `head` is that of the final answer, interim ones (1xx) are skipped; `began`: at least one byte arrived; `rest`: the
    bytes after the complete answer.
    """

    def __init__(self) -> None:
        self.began = False
        self.complete = False
        self.head: Head | None = None
        self.rest = b""
        self._reading = self._read()

    def feed(self, data: bytes) -> bool:
        """Return whether the answer is complete now. Raises MalformedError."""
        self.began = True
        self.rest += data
        next(self._reading, None)
        return self.complete

    def end(self) -> bool:
        """Return whether the answer is complete now that the server has closed the connection."""
        return self.head is not None and self.head.length == UNTIL_CLOSE

    def _read(self) -> Generator[None, None, None]:
        """Yield whenever more bytes are needed."""
        head = read_head((yield from self._until(b"\r\n\r\n")))
        while head.status < 200 and head.status != 101:
            head = read_head((yield from self._until(b"\r\n\r\n")))
        self.head = head
        if head.length == CHUNKED:
            yield from self._skip_chunks()
        while head.length == UNTIL_CLOSE:
            self.rest = b""
            yield
        yield from self._skip(head.length)
        self.complete = True

    def _until(self, end: bytes) -> Generator[None, None, bytes]:
        while (at := self.rest.find(end)) < 0:
            if len(self.rest) > LONGEST:
                raise MalformedError(f"head or line longer than {LONGEST} bytes")
            yield
        data, self.rest = self.rest[:at], self.rest[at + len(end) :]
        return data

    def _skip(self, size: int) -> Generator[None, None, None]:
        while size > len(self.rest):
            size -= len(self.rest)
            self.rest = b""
            yield
        self.rest = self.rest[max(0, size) :]

    def _skip_chunks(self) -> Generator[None, None, None]:
        """Skip chunks, their extensions, and trailers (section 7.1)."""
        size = -1
        while size:
            line = yield from self._until(b"\r\n")
            if not (match := CHUNK_LINE.fullmatch(line)):
                raise MalformedError(f"no chunk size: {line[:60]!r}")
            size = int(match[1], 16)
            yield from self._skip(size)
            if size and (yield from self._until(b"\r\n")):
                raise MalformedError("no line end after a chunk")
        while line := (yield from self._until(b"\r\n")):
            if b":" not in line:
                raise MalformedError(f"no trailer field: {line[:60]!r}")


def outcome_of(status: int) -> int:
    """Return the outcome of a request with a complete answer."""
    if 200 <= status < 300:
        return OK
    return SERVER_ERROR if status >= 500 else STATUS


class Connection(Wire):
    """
    A keep-alive connection that never sends a request twice.

    It behaves like a browser's: closed by the server while idle, it is opened again when the next request needs it.
    """

    def __init__(self, requests: list[bytes], record: bytes, *wire: Any) -> None:
        super().__init__(*wire)
        self._requests = requests
        self._record = record
        self._answer = Answer()

    def _opened(self) -> None:
        assert self._job is not None
        self._answer = Answer()
        self.send(self._requests[self._job.kind])

    def _received(self, data: bytes) -> None:
        if self._job is None:
            self._unasked(data)
            return
        try:
            if self._answer.feed(data):
                self._answered()
        except MalformedError as error:
            self.close()
            self._done(CUT, str(error))

    def _ended(self, error: str) -> None:
        if self._job is None:
            self.recorder.reconnected["idle"] += 1
        elif not self._answer.began:
            self._done(RESET, error or "closed before the answer")
        elif not error and self._answer.end():
            self._answered()
        else:
            status = f"status {self._answer.head.status}, " if self._answer.head else ""
            self._done(CUT, f"{status}{error or 'closed'} before the end of the answer")

    def _answered(self) -> None:
        head = self._answer.head
        assert head is not None
        if not head.keep or self._unsent:
            self.close()
            self.recorder.reconnected["asked"] += 1
        outcome = outcome_of(head.status)
        self._done(outcome, f"status {head.status}", head.value(self._record))
        if self._answer.rest:
            self._unasked(self._answer.rest)

    def _unasked(self, data: bytes) -> None:
        """Handle unexpected bytes: the last answer was longer than declared, or the server ends the connection."""
        self.close()
        if data.startswith((b"HTTP/1.1 408 ", b"HTTP/1.0 408 ")):  # RFC 9110 section 15.5.9
            self.recorder.reconnected["idle"] += 1
        else:
            self.recorder.amend(self._last, CUT, "bytes after the end of the answer")
