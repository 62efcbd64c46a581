"""The command line's side of the control socket, and the processes that a keeper has recorded."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from msgspec import Struct

from zdd.errors import UsageError
from zdd.host import files
from zdd.host.light import socket
from zdd.host.process import Process
from zdd.keeper import OLDEST, VERSION, message
from zdd.keeper.record import living

_NEEDED = {"status": {"ok", "state", "pid"}, "attach": {"ok", "state"}}  # in an answer
PATIENCE = 20.0  # seconds; a keeper that is gone is noticed at once, so this is for a machine that stalls
KILLED = "the process of zdd that runs it has ended: was it killed?"
_AGAIN = 0.01  # seconds between connects to a keeper whose queue is full


class Gone(Exception):  # noqa: N818  (a state, not a mistake)
    """No keeper answers."""


def ask(control_path: str, op: str, timeout: float = PATIENCE, **args: object) -> dict[str, Any]:
    """
    Return the keeper's answer: `ok`, and `error` if that is False.

    Raises Gone, and UsageError if the keeper is of another zddeploy that does not know this request.
    """
    connection, answer, _ = _request(control_path, op, timeout, args)
    connection.close()
    return answer


class Lease:
    """A connection that keeps an unpublished instance alive, and on which events arrive. Raises Gone."""

    def __init__(self, control_path: str) -> None:
        self._connection, answer, self._received = _request(control_path, "attach", PATIENCE, {})
        self._connection.setblocking(False)
        self._first: list[dict[str, Any]] = answer.get("events", [])
        self.state: str = answer.get("state", "")
        self.ended = False  # nothing more will come

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when there are events."""
        return self._connection.fileno()

    def events(self) -> list[dict[str, Any]]:
        """Return the events since the last call, without waiting."""
        events, self._first = self._first, []
        while not self.ended:
            try:
                data = self._connection.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            self.ended = not data
            self._received += data
            if len(self._received) > message.LONGEST:
                break
        *lines, self._received = self._received.split(b"\n")
        known = [message.parse(line) for line in lines]
        if None in known or len(self._received) > message.LONGEST:  # it is no keeper
            self.ended = True
        return events + [event for event in known if event and "event" in event]

    def close(self) -> None:
        """Give up the lease; an instance that is not published ends with its last lease."""
        self._connection.close()


class Pids(Struct, frozen=True):
    """The processes that the keeper recorded, if they are alive, and the app's port."""

    keeper: Process | None
    app: Process | None
    port: int | None


def pids(path: str) -> Pids:
    """Return what the keeper recorded for the case that it is killed."""
    written = files.read_object(path)
    port = written.get("port")
    return Pids(
        living(written.get("keeper")), living(written.get("app")), port if type(port) is int and port > 0 else None
    )


def has_died(path: str) -> bool:
    """Return whether the keeper that wrote this file has ended; False before it has written one."""
    keeper = files.read_object(path).get("keeper")
    return keeper is not None and living(keeper) is None


def _request(
    path: str, op: str, timeout: float, args: dict[str, object], version: int = VERSION
) -> tuple[socket.socket, dict[str, Any], bytes]:
    """Return the connection, the answer and the data after it; an older keeper is asked in its own version."""
    connection, answer, rest = _say(path, {"version": version, "op": op} | args, timeout)
    if not is_refused(answer):
        return connection, answer, rest
    connection.close()
    who = os.path.basename(path).removesuffix(".sock") + " was started by"
    if "unknown" in answer:
        words = f"{who} an older zddeploy and cannot `{op}`"
        hint = "`zddeploy restart` starts it again, with this one; if that failed: `zddeploy down`, then `zddeploy up`"
        raise UsageError(words, hint=hint)
    theirs = answer.get("version", 0)
    if OLDEST <= theirs < version:
        return _request(path, op, timeout, args, theirs)
    words = f"{who} a {'newer' if theirs > VERSION else 'much older'} zddeploy, which this one cannot talk to"
    raise UsageError(words, hint="use that one; to change over: its `zddeploy down`, then `zddeploy up` with this one")


def _connect(connection: socket.socket, path: str, timeout: float) -> None:
    """Connect; retry if the keeper's queue is full, for then it is alive. Raises OSError."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return connection.connect(path)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_AGAIN)


def is_refused(answer: dict[str, Any]) -> bool:
    """Return whether the keeper is of another version, or does not know the operation."""
    return bool({"oldest", "unknown"} & answer.keys())


def answer_in(received: bytes, op: str) -> dict[str, Any] | None:
    """
    Return the answer in the first line; None if no keeper has written it, or it is incomplete.

    Every keeper says how it is, or that it does not understand.
    """
    line, end, _ = received.partition(b"\n")
    answer = message.parse(line) if end else None
    if answer is None:
        return None
    needed = {"ok"} if is_refused(answer) else _NEEDED.get(op, {"ok"})
    return answer if needed <= answer.keys() else None


def _say(path: str, request: dict[str, object], timeout: float) -> tuple[socket.socket, dict[str, Any], bytes]:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    received, until, op = b"", time.monotonic() + timeout, str(request["op"])
    try:
        _connect(connection, path, timeout)
        connection.sendall(json.dumps(request).encode() + b"\n")
        while b"\n" not in received:
            connection.settimeout(max(0.001, until - time.monotonic()))  # 0 would mean: do not wait at all
            data = connection.recv(65536)
            if not data or len(received) > message.LONGEST:
                raise ConnectionResetError("it ended without an answer" if not data else "its answer has no end")
            received += data
        answer = answer_in(received, op)
        if answer is None:
            raise ConnectionResetError("what answers is no keeper")
    except OSError as error:
        connection.close()
        raise Gone(f"no keeper answers on {path}: {error.strerror or error}") from error
    return connection, answer, received.partition(b"\n")[2]
