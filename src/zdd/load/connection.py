from __future__ import annotations

from typing import Any

from zdd.load.answer import Answer, MalformedError
from zdd.load.samples import CUT, OK, RESET, SERVER_ERROR, STATUS
from zdd.load.wire import Wire


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
