"""
Connections that this instance does not serve itself, noted for the readers of nginx's access log.

Their slot says this instance, and another one answers. A line holds for a second: under load there are many. While the
path itself leads to a sibling, which may last for hours, two lines say from when to when.
"""

from __future__ import annotations

import time

from zdd.host import json_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zdd.keeper.listener import Listener
    from zdd.keeper.record import Record

_EVERY = 0.9  # seconds; the reader takes a line to hold for one


def note_led(record: Record, is_led: bool) -> None:
    """Note that new connections are led to a sibling from now on, or no longer."""
    line = {"handed": record.instance, "at": time.time(), "led": is_led}
    if record.publishes:
        json_lines.add(record.publishes, lambda: line)


class Handed:
    """Notes that connections are relayed, unless they are relayed to the instance's own app."""

    def __init__(self, record: Record, listener: Listener) -> None:
        self.record, self.listener = record, listener
        self._noted = -_EVERY

    def note(self, address: str | int) -> None:
        """Note that some are relayed to this address now."""
        now = time.monotonic()
        if self.record.publishes and address != self.listener.address and now - self._noted >= _EVERY:
            line = {"handed": self.record.instance, "at": time.time()}
            if json_lines.add(self.record.publishes, lambda: line):
                self._noted = now
