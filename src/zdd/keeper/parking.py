"""
A stop-first deploy, in which two versions never run at once.

The new instance holds requests in its own socket. The old one is parked: drained and stopped, its place kept. Then the
new one is started. If it does not become healthy, the same happens the other way round. The command line leads. If it
dies before it has asked the new one to start, or the new one fails later, the new instance finishes alone: it asks the
old one to serve again, and relays the requests that wait.
"""

from __future__ import annotations

import json
import socket

from zdd.keeper import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from zdd.keeper.hold import Hold
    from zdd.keeper.record import Record

_PATIENCE = 10.0  # seconds; giving up too early would start a version beside the one that was asked


class Parking:
    """The part of an instance that is parked, or takes the place of one; `start` starts its app, unattended or not."""

    def __init__(self, record: Record, hold: Hold, start: Callable[[bool], object], log: Callable[[str], None]) -> None:
        self.record, self.hold, self.start, self.log = record, hold, start, log
        self.predecessors = Predecessors(record)
        self.fallback = False  # parked for another instance: it stays until the next command

    @property
    def can_hand_back(self) -> bool:
        """Return whether there is a version before that `current` no longer leads to."""
        return bool(self.predecessors.known) and self.record.current_leads_here()

    def hold_requests(self) -> None:
        """Hold new connections, or relay them to the instance that `current` leads to if it is another one."""
        self.hold.resume()
        self.hold.begin(self.record.hold_max)  # raises OSError if there is no room for the socket: the app runs on
        if not self.record.current_leads_here():
            self.pass_on()

    def pass_on(self) -> None:
        """Relay the connections that wait to an instance that serves."""
        self.hold.send_to(self.record.sibling())

    def hand_back(self) -> None:
        """Let the version before serve again; without one, start this one."""
        if self.predecessors.start():
            self.hold.send_to(self.predecessors.address())
        else:
            self.log("nothing is left of the version before: this one is started")
            self.start(True)


class Predecessors:
    """The parked instances of the version before, as far as they may still be able to serve."""

    def __init__(self, record: Record) -> None:
        self.known = list(record.predecessors)

    def start(self) -> bool:
        """Ask them to serve again, and forget those that do not. Return whether any does."""
        self.known = [old for old in self.known if _ask(old["control"] or "", "start", alone=True)]
        return bool(self.known)

    def address(self) -> str | None:
        """
        Return the path where connections wait until the first of them serves.

        An instance of zdd 0.1 has that path in its app's folder, where no name is followed: then it is the app's own
        socket.
        """
        first = self.known[0]
        return first.get("socket") or (_ask(first["control"] or "", "status", brief=True) or {}).get("address")


def _ask(path: str, op: str, **args: object) -> dict[str, Any] | None:
    """Return the answer of the keeper at this control socket; None if it refuses or there is none."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(_PATIENCE)
            peer.connect(path)
            peer.sendall(json.dumps({"version": VERSION, "op": op} | args).encode() + b"\n")
            answer: dict[str, Any] = json.loads(peer.makefile("rb").readline())
            return answer if answer["ok"] else None
    except (OSError, ValueError, KeyError):
        return None
