"""
The control socket: one JSON object a line, requests answered in order, events pushed to who attached.

A line that is anything else ends the connection, and so does one that is too long; another user's is closed unread.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct

from zdd.host import files
from zdd.keeper import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from zdd.keeper.loop import Loop

    Message = dict[str, Any]

_CHUNK = 65536
_LONGEST = 1 << 16  # bytes of a request: the longest names each of nginx's workers
_PATIENCE = 10.0  # with another keeper: who gives up too early starts a version beside the one it has asked for


def ask(path: str, op: str, **args: object) -> Message | None:
    """Return the answer of the keeper at this control socket; None when it will not do it, or is not there."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(_PATIENCE)
            peer.connect(path)
            peer.sendall(json.dumps({"version": VERSION, "op": op} | args).encode() + b"\n")
            answer: Message = json.loads(peer.makefile("rb").readline())
            return answer if answer["ok"] else None
    except (OSError, ValueError, KeyError):
        return None


class Control:
    """Listens on the socket, keeps the connections, and pushes events to those that are leases."""

    handle: Callable[[Message], Message]
    deserted: Callable[[], None]

    def __init__(self, loop: Loop, path: str) -> None:
        self.loop = loop
        self.path = path
        self.connections: set[_Connection] = set()

    def open(self, handle: Callable[[Message], Message], deserted: Callable[[], None]) -> None:
        """Let peers in: `handle` answers a request, `deserted` is called when the last lease has ended."""
        self.handle, self.deserted = handle, deserted
        files.remove(self.path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self.path)
        os.chmod(self.path, 0o600)
        self._socket.listen(64)
        self._socket.setblocking(False)
        self.loop.watch(self._socket.fileno(), select.POLLIN, self._accept)

    @property
    def leased(self) -> bool:
        """Tell whether anybody is attached."""
        return any(connection.attached for connection in self.connections)

    def push(self, event: Message) -> None:
        """Send an event to everybody attached."""
        for connection in self.connections:
            if connection.attached:
                connection.send(event)

    def close(self) -> None:
        """Let nobody in any more, and all go."""
        self.loop.forget(self._socket.fileno())
        self._socket.close()
        for connection in self.connections:
            connection.close()
        self.connections.clear()

    def ended(self, connection: _Connection) -> None:
        """Forget a connection."""
        self.connections.discard(connection)
        connection.close()
        if connection.attached and not self.leased:
            self.deserted()

    def _accept(self, _: int) -> None:
        try:
            peer = self._socket.accept()[0]
        except OSError:  # it has left again, or there are no descriptors left for it
            return
        _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid in (0, os.geteuid()):
            self.connections.add(_Connection(self, peer))
        else:
            peer.close()


class _Connection:
    """One peer; `attached` once it has asked for events, which makes it a lease."""

    def __init__(self, control: Control, peer: socket.socket) -> None:
        self.control = control
        self.peer = peer
        self.attached = False
        self._received = b""
        peer.setblocking(False)
        control.loop.watch(peer.fileno(), select.POLLIN, self._ready)

    def send(self, message: Message) -> None:
        """Send a message. A peer that reads nothing for long is cut off; that it has ended is the loop's to find."""
        try:
            self.peer.sendall(json.dumps(message).encode() + b"\n")
        except BlockingIOError:
            self.peer.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self) -> None:
        """Close it."""
        self.control.loop.forget(self.peer.fileno())
        self.peer.close()

    def _ready(self, _: int) -> None:
        try:
            data = self.peer.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        *lines, self._received = (self._received + data).split(b"\n")
        # What is not our protocol was meant for somebody else, and may have been sent by anybody: a request to the app
        # that was led here. Nothing that follows it is read.
        understood = all(map(self._answer, lines))
        if not data or not understood or len(self._received) > _LONGEST:
            self.control.ended(self)

    def _answer(self, line: bytes) -> bool:
        """Answer a line; return whether it was a request, also one of another version or for an unknown operation."""
        try:
            request = json.loads(line) if len(line) <= _LONGEST else None
        except (ValueError, RecursionError):
            request = None
        if not isinstance(request, dict):
            self.send({"ok": False, "error": "a request is one JSON object on a line"})
            return False
        answer = self.control.handle(request)
        self.attached = self.attached or (request.get("op") == "attach" and answer["ok"])
        self.send(answer)
        return "version" in request and "op" in request
