"""The end of an instance, after all processes of its app have ended."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zdd.keeper.control import Control
    from zdd.keeper.drain import Drain
    from zdd.keeper.hold import Hold
    from zdd.keeper.listener import Listener
    from zdd.keeper.loop import Deadlines
    from zdd.keeper.record import Record
    from zdd.keeper.relay import Relay

_AGAIN = 0.05


class Shutdown:
    """
    Removes the instance from where others see it; connections that arrived after the last count are relayed.

    `over` when none is left, or after `drain_timeout`.
    """

    def __init__(
        self, record: Record, listener: Listener, hold: Hold, relay: Relay, deadlines: Deadlines, control: Control
    ) -> None:
        self.record, self.listener, self.hold, self.relay = record, listener, hold, relay
        self.deadlines, self.control = deadlines, control
        self.over = False

    def begin(self, drain: Drain) -> None:
        """Remove the instance, and report how its connections ended."""
        self.deadlines.clear()
        self.deadlines.at(self.record.drain_timeout, self._finish)
        self.listener.withdraw()
        self.hold.abandon()
        event = {"event": "gone", "drained": drain.drained, "cut": drain.cut, "seconds": round(drain.seconds, 3)}
        self.control.push(event)
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
