"""The end of an instance, after all processes of its app have ended."""

from __future__ import annotations

from zdd.keeper.part import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zdd.keeper.drain import Drain
    from zdd.keeper.hold import Hold
    from zdd.keeper.part import Shared

_AGAIN = 0.05


class Shutdown(Part):
    """
    Removes the instance from where others see it; connections that arrived after the last count are relayed.

    `over` when none is left, or after `drain_timeout`.
    """

    def __init__(self, shared: Shared, hold: Hold, drain: Drain) -> None:
        super().__init__(shared)
        self.hold, self.drain = hold, drain
        self.over = False

    def begin(self) -> None:
        """Remove the instance, and report how its connections ended."""
        self.deadlines.clear()
        self.deadlines.at(self.record.drain_timeout, self._finish)
        self.listener.withdraw()
        self.hold.abandon()
        seconds = round(self.drain.seconds, 3)
        self.control.push({"event": "gone", "drained": self.drain.drained, "cut": self.drain.cut, "seconds": seconds})
        self.record.remove()
        self.control.close()
        self._relay_rest()

    def _relay_rest(self) -> None:
        """Relay the remaining connections to an instance that serves, as many as there are free descriptors."""
        took_all = self.relay.take(self.listener.queues() + self.hold.queues)
        self.relay.release(self.record.sibling())
        if took_all and not self.relay.busy:
            self._finish()
        else:
            self.deadlines.at(_AGAIN, self._relay_rest)

    def _finish(self) -> None:
        self.deadlines.clear()
        self.listener.close()
        self.relay.close()
        self.over = True
