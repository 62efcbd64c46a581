"""
A stop-first deploy, in which two versions never run at once.

The new instance holds requests in its own socket. The old one is parked: drained and stopped, its place kept. Then the
new one is started. If it does not become healthy, the same happens the other way round. The command line leads. If it
dies before it has asked the new one to start, or the new one fails later, the new instance finishes alone: it asks the
old one to serve again, and relays the requests that wait. If the old one cannot, since its keeper was killed too, what
is left of it ends, and the new one is started.
"""

from __future__ import annotations

from zdd.host import light_json as json
from zdd.host.light import socket
from zdd.keeper import VERSION, message, states
from zdd.keeper.drain import pause_after
from zdd.keeper.part import Part
from zdd.keeper.predecessor import Predecessor
from zdd.keeper.siblings import Siblings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from zdd.keeper.hold import Hold
    from zdd.keeper.part import Shared

_CHUNK = 65536
_PATIENCE = 10.0  # seconds for an answer; a keeper that gives none is killed
_AGAIN = 0.5  # seconds


class Parking(Part):
    """
    The part of an instance that is parked, or takes the place of one.

    `start` starts its app, unattended or not; `on` receives events.
    """

    def __init__(
        self, shared: Shared, hold: Hold, start: Callable[[bool], object], on: Callable[[str], object]
    ) -> None:
        super().__init__(shared)
        self.hold, self.start, self.on = hold, start, on
        self._predecessors = list(self.record.predecessors)  # as far as they may still be able to serve
        self._ending: list[Predecessor] = []  # those of them that cannot
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
        """Let the version before serve again; if it cannot, start this one once nothing of that one runs."""
        asked = [(old, _ask(old["control"] or "", "start", alone=True)) for old in self._predecessors]
        self._predecessors = [old for old, answer in asked if answer and answer.get("ok")]
        if self._predecessors:
            self.hold.send_to(_queue_of(self._predecessors[0]))
            return
        now = self.deadlines.now()
        self._ending += [
            Predecessor(old["control"] or "", self.record, answer is not None, now) for old, answer in asked
        ]
        self.log("the version before cannot serve again: this one is started once nothing of that one runs")
        self.on(states.LEFT_ALONE)

    def end_predecessors(self) -> None:
        """Go on ending the version before; once nothing of it runs, start this one."""
        begun = self.deadlines.now()
        self.deadlines.at(_AGAIN, self.end_predecessors)  # even if this fails
        self._ending = [old for old in self._ending if not old.end(begun)]
        if self._ending:
            self.deadlines.at(pause_after(self.deadlines.now() - begun), self.end_predecessors)
        else:
            self.start(True)

    def cancel(self) -> None:
        """Do not wait for the end of the version before any more: the app is started."""
        self.deadlines.cancel(self.end_predecessors)


def _queue_of(old: dict[str, str | None]) -> str | None:
    """
    Return the path where connections wait until this instance serves.

    An instance of zdd 0.1 has that path in its app's folder, where no name is followed: then it is the app's own
    socket.
    """
    return old.get("socket") or (_ask(old["control"] or "", "status", brief=True) or {}).get("address")


def _ask(path: str, op: str, **args: object) -> dict[str, Any] | None:
    """Return the answer of the keeper at this control socket; None if there is none."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(_PATIENCE)
            peer.connect(path)
            peer.sendall(json.dumps({"version": VERSION, "op": op} | args).encode() + b"\n")
            received = b""
            while b"\n" not in received and len(received) < message.LONGEST and (data := peer.recv(_CHUNK)):
                received += data
            return message.parse(received.partition(b"\n")[0])
    except OSError:
        return None
