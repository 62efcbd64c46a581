"""
The control socket: one JSON object a line; requests are answered in order, events are pushed to attached peers.

Any other line ends the connection, and so does one that is too long. A connection of another user is closed unread.
"""

from __future__ import annotations

import os
import select
import struct

from zdd.host import files
from zdd.host import light_json as json
from zdd.host.light import socket
from zdd.keeper import message

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from zdd.keeper.loop import Loop

    Message = dict[str, Any]

_CHUNK = 65536
_LONGEST = 1 << 16  # bytes of a request: the longest one names all of nginx's workers


class Control:
    """Listens on the socket, keeps the connections, and pushes events to attached peers, which hold a lease."""

    handle: Callable[[Message], Message]
    deserted: Callable[[], None]

    def __init__(self, loop: Loop, path: str) -> None:
        self.loop = loop
        self.path = path
        self.connections: set[_Connection] = set()

    def open(self, handle: Callable[[Message], Message], deserted: Callable[[], None]) -> None:
        """Accept connections: `handle` answers a request, `deserted` is called when the last lease has ended."""
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
        """Return whether a peer is attached."""
        return any(connection.attached for connection in self.connections)

    def push(self, event: Message) -> None:
        """Send an event to all attached peers."""
        for connection in self.connections:
            if connection.attached:
                connection.send(event)

    def close(self) -> None:
        """Close the socket and all connections."""
        self.loop.forget(self._socket.fileno())
        self._socket.close()
        for connection in self.connections:
            connection.close()
        self.connections.clear()

    def ended(self, connection: _Connection) -> None:
        """Close a connection that has ended."""
        self.connections.discard(connection)
        connection.close()
        if connection.attached and not self.leased:
            self.deserted()

    def _accept(self, _: int) -> None:
        try:
            peer = self._socket.accept()[0]
        except OSError:  # it has hung up, or no descriptor is free
            return
        _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        if uid in (0, os.geteuid()):
            self.connections.add(_Connection(self, peer))
        else:
            peer.close()


class _Connection:
    """One peer; `attached` once it has asked for events: it holds a lease from then on."""

    def __init__(self, control: Control, peer: socket.socket) -> None:
        self.control = control
        self.peer = peer
        self.attached = False
        self._received = b""
        peer.setblocking(False)
        control.loop.watch(peer.fileno(), select.POLLIN, self._ready)

    def send(self, message: Message) -> None:
        """Send a message. A peer that does not read is cut off; the loop notices one that has ended."""
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
        # A line of another protocol, such as a visitor's request to the app that was misdirected here, may come from
        # anybody. Nothing that follows it is read.
        understood = all(map(self._answer, lines))
        if not data or not understood or len(self._received) > _LONGEST:
            self.control.ended(self)

    def _answer(self, line: bytes) -> bool:
        """Answer a line; return whether it was a request, even of another version or for an unknown operation."""
        request = message.decode(line) if len(line) <= _LONGEST else None
        if request is None:
            self.send({"ok": False, "error": "a request is one JSON object on a line"})
            return False
        answer = self.control.handle(request)
        self.attached = self.attached or (request.get("op") == "attach" and answer["ok"])
        self.send(answer)
        return "version" in request and "op" in request
