"""
One question to many keepers at once.

All are asked before the first answer is awaited, so keepers that hang cost the patience for one. Only the number of
open descriptors bounds how many are asked at the same time.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from collections import deque
from collections.abc import Iterable
from typing import Any

from zdd.keeper import VERSION, client, message

_AT_ONCE = 512  # of the 1,024 descriptors that a process usually has
_AGAIN = 0.01  # seconds between connects to a keeper whose queue is full


def ask(control_paths: Iterable[str], op: str, timeout: float = client.PATIENCE, **args: object) -> dict[str, Any]:
    """
    Return the answers, by control path; those of keepers that are gone or hang are missing.

    A keeper hangs if for `timeout` seconds neither it nor any other has answered: a thousand that answer take their
    time on a busy machine. Raises UsageError if a keeper is of another zddeploy that does not know this request.
    """
    request = json.dumps({"version": VERSION, "op": op} | args).encode() + b"\n"
    waiting, calls, answers = deque(control_paths), dict[int, _Call](), {}
    poller, until = select.poll(), time.monotonic() + timeout
    while waiting or calls:
        _begin(waiting, calls, poller, request)
        if _read(poller, calls, until) or not calls:
            until = time.monotonic() + timeout
        elif time.monotonic() >= until:
            until = time.monotonic() + timeout
            for call in calls.values():
                call.has_ended = True
        for number, call in [pair for pair in calls.items() if pair[1].has_ended]:
            if call.is_sent:
                poller.unregister(number)
            del calls[number]
            call.close()
            if answer := client.answer_in(call.received, op):
                answers[call.path] = answer
    for path in [path for path, answer in answers.items() if client.is_refused(answer)]:
        del answers[path]
        with contextlib.suppress(client.Gone):
            answers[path] = client.ask(path, op, timeout, **args)  # in the version of an older keeper
    return answers


def _begin(waiting: deque[str], calls: dict[int, _Call], poller: select.poll, request: bytes) -> None:
    """Ask as many keepers as there are descriptors, and those again whose queue was full."""
    while waiting and len(calls) < _AT_ONCE:
        try:
            call = _Call(waiting[0])
        except OSError:  # no descriptor is free: the rest is asked when some have answered
            if not calls:
                raise
            break
        calls[call.fileno()] = call
        waiting.popleft()
    for call in calls.values():
        if not call.is_sent and call.send(request):
            poller.register(call.fileno(), select.POLLIN)


def _read(poller: select.poll, calls: dict[int, _Call], until: float) -> bool:
    """Wait, at most until then, until a keeper answers, and read what has come; return whether an answer is whole."""
    now = time.monotonic()
    if any(call.has_ended for call in calls.values()):
        until = now
    elif not all(call.is_sent for call in calls.values()):
        until = min(until, now + _AGAIN)
    ready = poller.poll(max(0.0, until - now) * 1000)
    for number, _ in ready:
        calls[number].read()
    return any(calls[number].has_ended for number, _ in ready)


class _Call:
    """One keeper that is being asked."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.received = b""
        self.is_sent = self.has_ended = False
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)

    def fileno(self) -> int:
        return self._connection.fileno()

    def send(self, request: bytes) -> bool:
        """Send the question; return whether it is sent: a keeper whose queue is full is asked again later."""
        try:
            self._connection.connect(self.path)
            self._connection.sendall(request)
            self.is_sent = True
        except BlockingIOError:
            pass
        except OSError:
            self.has_ended = True
        return self.is_sent

    def read(self) -> None:
        """Read what has come of the answer."""
        try:
            data = self._connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.received += data
        self.has_ended = not data or b"\n" in data or len(self.received) > message.LONGEST

    def close(self) -> None:
        self._connection.close()
