"""The other side of the control socket: what a command asks of an instance's keeper, and what it leaves behind."""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any, NamedTuple

from zdd.errors import UsageError
from zdd.host import files
from zdd.host.process import Process
from zdd.keeper import OLDEST, VERSION

PATIENCE = 20.0  # seconds: who is gone is known at once, so this is for a machine that stands still
_AGAIN = 0.01  # seconds between connects to a keeper whose queue is full


class Gone(Exception):  # noqa: N818  (a state, not a mistake)
    """No keeper answers."""


def ask(control_path: str, op: str, timeout: float = PATIENCE, **args: object) -> dict[str, Any]:
    """
    Return the keeper's answer: `ok`, and `error` where that is False.

    Raises Gone, and UsageError for a keeper of another zddeploy that has not learned this, or no more.
    """
    connection, answer, _ = _request(control_path, op, timeout, args)
    connection.close()
    return answer


class Lease:
    """While it is open, somebody cares for the instance; what happens to it arrives as events. Raises Gone."""

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
        """Return what has arrived since the last time, without waiting."""
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
        *lines, self._received = self._received.split(b"\n")
        return events + [json.loads(line) for line in lines]

    def close(self) -> None:
        """Give the lease up; an instance that `current` does not lead to ends with its last one."""
        self._connection.close()


class Pids(NamedTuple):
    """Who ran at the last word of the keeper, as far as they live, and the app's port."""

    keeper: Process | None
    app: Process | None
    port: int | None


def pids(path: str) -> Pids:
    """Return what the keeper wrote down for the case that it is killed."""
    written = files.read_object(path)
    pairs = {who: Process(*written[who]) for who in ("keeper", "app") if written.get(who)}
    living = {who: process for who, process in pairs.items() if process.alive()}
    return Pids(living.get("keeper"), living.get("app"), written.get("port"))


def _request(
    path: str, op: str, timeout: float, args: dict[str, object], version: int = VERSION
) -> tuple[socket.socket, dict[str, Any], bytes]:
    """Return the connection, the answer, and what has come after it; an older keeper is spoken to as it speaks."""
    connection, answer, rest = _say(path, {"version": version, "op": op} | args, timeout)
    if not {"oldest", "unknown"} & answer.keys():
        return connection, answer, rest
    connection.close()
    who = os.path.basename(path).removesuffix(".sock") + " was started by"
    if "unknown" in answer:
        words = f"{who} an older zddeploy and cannot `{op}`"
        hint = "`zddeploy restart` starts it anew, with this one; `zddeploy down`, then `up`, if that is what failed"
        raise UsageError(words, hint=hint)
    theirs = answer["version"]
    if OLDEST <= theirs < version:
        return _request(path, op, timeout, args, theirs)
    words = f"{who} a {'newer' if theirs > VERSION else 'much older'} zddeploy, which this one cannot talk to"
    raise UsageError(words, hint="use that one; to change over: its `zddeploy down`, then `zddeploy up` with this one")


def _connect(connection: socket.socket, path: str, timeout: float) -> None:
    """Connect, also to a keeper whose queue is full at this moment: it lives. Raises OSError."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return connection.connect(path)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_AGAIN)


def _say(path: str, request: dict[str, object], timeout: float) -> tuple[socket.socket, dict[str, Any], bytes]:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    received = b""
    try:
        _connect(connection, path, timeout)
        connection.sendall(json.dumps(request).encode() + b"\n")
        while b"\n" not in received:
            data = connection.recv(65536)
            if not data:
                raise ConnectionResetError("it ended without an answer")
            received += data
    except OSError as error:
        connection.close()
        raise Gone(f"no keeper answers on {path}: {error.strerror or error}") from error
    line, _, rest = received.partition(b"\n")
    return connection, json.loads(line), rest
