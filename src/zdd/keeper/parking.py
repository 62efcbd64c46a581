"""
A stop-first deploy, in which two versions never run at once.

The new instance holds requests in its own socket. The old one is parked: drained and stopped, its place kept. Then the
new one is started. If it does not become healthy, the same happens the other way round. The command line leads. If it
dies before it has asked the new one to start, or the new one fails later, the new instance finishes alone: it asks the
old one to serve again, and relays the requests that wait.
"""

from __future__ import annotations

from zdd.host import light_json as json
from zdd.host.light import socket
from zdd.keeper import VERSION, message
from zdd.keeper.part import Part
from zdd.keeper.siblings import Siblings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from zdd.keeper.hold import Hold
    from zdd.keeper.part import Shared

_CHUNK = 65536
_PATIENCE = 10.0  # seconds; giving up too early would start a version beside the one that was asked


class Parking(Part):
    """The part of an instance that is parked, or takes the place of one; `start` starts its app, unattended or not."""

    def __init__(self, shared: Shared, hold: Hold, start: Callable[[bool], object]) -> None:
        super().__init__(shared)
        self.hold, self.start = hold, start
        self._predecessors = list(self.record.predecessors)  # as far as they may still be able to serve
        self.fallback = False  # parked for another instance: it stays until the next command

    @property
    def can_hand_back(self) -> bool:
        """Return whether there is a version before that `current` no longer leads to."""
        return bool(self._predecessors) and self.record.current_leads_here()

    def hold_requests(self) -> None:
        """Hold new connections, or relay them to the instance that `current` leads to if it is another one."""
        self.hold.resume()
        self.hold.begin(self.record.hold_max)  # raises OSError if there is no room for the socket: the app runs on
        if not self.record.current_leads_here():
            self.pass_on()

    def pass_on(self) -> None:
        """Relay the connections that wait to an instance that serves."""
        self.hold.send_to(Siblings(self.record).taking())

    def hand_back(self) -> None:
        """Let the version before serve again; without one, start this one."""
        self._predecessors = [old for old in self._predecessors if _ask(old["control"] or "", "start", alone=True)]
        if self._predecessors:
            self.hold.send_to(_queue_of(self._predecessors[0]))
        else:
            self.log("nothing is left of the version before: this one is started")
            self.start(True)


def _queue_of(old: dict[str, str | None]) -> str | None:
    """
    Return the path where connections wait until this instance serves.

    An instance of zdd 0.1 has that path in its app's folder, where no name is followed: then it is the app's own
    socket.
    """
    return old.get("socket") or (_ask(old["control"] or "", "status", brief=True) or {}).get("address")


def _ask(path: str, op: str, **args: object) -> dict[str, Any] | None:
    """Return the answer of the keeper at this control socket; None if it refuses or there is none."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(_PATIENCE)
            peer.connect(path)
            peer.sendall(json.dumps({"version": VERSION, "op": op} | args).encode() + b"\n")
            received = b""
            while b"\n" not in received and len(received) < message.LONGEST and (data := peer.recv(_CHUNK)):
                received += data
            answer = message.parse(received.partition(b"\n")[0])
            return answer if answer and answer.get("ok") else None
    except OSError:
        return None
