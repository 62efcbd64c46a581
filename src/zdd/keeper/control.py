"""The control socket: one JSON object a line, requests answered in order, events pushed to who attached."""

from __future__ import annotations

import json
import os
import select
import socket
import struct

from zdd.host import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from zdd.keeper.loop import Loop

    Message = dict[str, Any]

_CHUNK = 65536
_LONGEST = 1 << 20  # bytes a peer may leave unread, or a line may have


class Control:
    """Listens on the socket, keeps the connections, and pushes events to those that are leases."""

    handle: Callable[[Message], Message]
    left: Callable[[], None]

    def __init__(self, loop: Loop, path: str) -> None:
        self.loop = loop
        self.path = path
        self.connections: set[_Connection] = set()

    def open(self, handle: Callable[[Message], Message], left: Callable[[], None]) -> None:
        """Let peers in: `handle` answers a request, `left` is called when the last lease has ended."""
        self.handle, self.left = handle, left
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

    def miss(self) -> None:
        """Say that nobody is there, if nobody is."""
        if not self.leased:
            self.left()

    def push(self, event: Message) -> None:
        """Send an event to everybody attached."""
        for connection in list(self.connections):
            if connection.attached:
                connection.send(event)

    def _accept(self, _: int) -> None:
        try:
            peer = self._socket.accept()[0]
        except OSError:  # it has left again, or there are no descriptors left for it
            return
        pid_uid_gid = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if pid_uid_gid[1] not in (0, os.geteuid()):
            peer.close()
            return
        self.connections.add(_Connection(self, peer))

    def closed(self, connection: _Connection) -> None:
        """Forget a connection."""
        self.connections.discard(connection)
        if connection.attached:
            self.miss()


class _Connection:
    """One peer; `attached` once it has asked for events, which makes it a lease."""

    def __init__(self, control: Control, peer: socket.socket) -> None:
        self.control = control
        self.peer = peer
        self.attached = False
        self._received = self._unsent = b""
        peer.setblocking(False)
        self._watch()

    def send(self, message: Message) -> None:
        """Send a message; a peer that does not read for long is dropped."""
        if self not in self.control.connections:
            return
        self._unsent += json.dumps(message).encode() + b"\n"
        self._flush()

    def _flush(self) -> None:
        try:
            if self._unsent:
                self._unsent = self._unsent[self.peer.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent = b""  # nobody reads: the end of the connection follows
        if len(self._unsent) > _LONGEST:
            self._close()
        else:
            self._watch()

    def _watch(self) -> None:
        events = select.POLLIN | (select.POLLOUT if self._unsent else 0)
        self.control.loop.watch(self.peer.fileno(), events, self._ready)

    def _ready(self, events: int) -> None:
        if events & select.POLLOUT:
            self._flush()
        if self not in self.control.connections or not events & ~select.POLLOUT:
            return
        try:
            data = self.peer.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._received += data
        if not data or len(self._received) > _LONGEST:
            self._close()
            return
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            self._answer(line)

    def _answer(self, line: bytes) -> None:
        try:
            request = json.loads(line)
        except ValueError:
            request = None
        if not isinstance(request, dict):
            self.send({"ok": False, "error": "a request is one JSON object on a line"})
            return
        answer = self.control.handle(request)
        self.attached = self.attached or (request.get("op") == "attach" and answer["ok"])
        self.send(answer)

    def _close(self) -> None:
        self.control.loop.forget(self.peer.fileno())
        self.peer.close()
        self.control.closed(self)
