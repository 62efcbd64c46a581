"""From the moment an app crashes until it answers again: who waits, who is sent elsewhere, when it is started."""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.app import App
    from zdd.keeper.listener import Listener
    from zdd.keeper.loop import Deadlines
    from zdd.keeper.probe import Probe
    from zdd.keeper.record import Record
    from zdd.keeper.relay import Relay

_FIRST_DELAY, _LONGEST_DELAY, _LONG_LIFE = 0.1, 10.0, 60.0  # before a restart; a long life makes it the first again
_SERVER_ERROR = 500
_AGAIN, _PATIENCE = 0.05, 5.0  # of the health request, and of killing what is left


class Outage:
    """
    An instance without siblings holds its connections for a while; with siblings nginx is sent there at once.

    `on` until the app has answered. `start` starts it, `changed` is told when `on` has changed.
    """

    def __init__(
        self,
        record: Record,
        app: App,
        listener: Listener,
        relay: Relay,
        probe: Probe,
        deadlines: Deadlines,
        start: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:
        self.record, self.app, self.listener, self.relay, self.probe = record, app, listener, relay, probe
        self.deadlines, self.start, self.changed = deadlines, start, changed
        self.on = False
        self.restarts = 0
        self._delay = _FIRST_DELAY
        self._kill_until = 0.0

    def begin(self, held: bool = False) -> None:
        """Nothing answers any more. `held`: who comes waits already, and somebody else sees to it."""
        if self.on:
            return
        self.on = True
        if held:
            pass
        elif self.record.alone:
            self.deadlines.at(self.record.hold_max, self._give_up)
        else:
            self.listener.go_away()
        self.changed()

    def crashed(self, lived: float) -> None:
        """The app has ended, after this many seconds: have it started again, after a delay that grows."""
        self.relay.take(self.listener.queues())
        self.begin()
        if not self.record.alone and (sibling := self.record.sibling()):
            self.relay.release(sibling)
        self.app.signal_all(self.record.stop_signal)  # pre-fork workers would go on accepting
        if lived >= _LONG_LIFE:
            self._delay = _FIRST_DELAY
        self._kill_until = self.deadlines.now() + self._delay + _PATIENCE
        self.deadlines.at(self._delay, self._restart)
        self._delay = min(2 * self._delay, _LONGEST_DELAY)

    def ask(self) -> None:
        """Send the started app a health request, again and again, until it answers."""
        if self.listener.address is None:
            self.end()
        else:
            self.deadlines.cancel(self.probe.cancel)
            self.deadlines.at(_PATIENCE, self.ask)
            self.probe.ask(self.listener.address, self._told)

    def end(self) -> None:
        """It answers: send it those who waited, and let everybody come again."""
        self.on = False
        self.deadlines.cancel(self.ask, self._give_up)
        self.deadlines.at(_PATIENCE, self.probe.cancel)  # its answer is read to the end, if it has one
        self.listener.come_back()
        self._release()
        self.changed()

    def pause(self) -> None:
        """Ask no more for now: the app has ended, or its connections are being counted."""
        self.deadlines.cancel(self.ask, self._release)
        self.probe.cancel()

    def _restart(self) -> None:
        if self.app.left and self.deadlines.now() < self._kill_until:
            self.app.signal_all(signal.SIGKILL)
            self.deadlines.at(_AGAIN, self._restart)
        else:
            self.restarts += 1
            self.start()

    def _told(self, status: int | None) -> None:
        # Alone, an app that answers with errors is better than none.
        if status is not None and (self.record.alone or 0 < status < _SERVER_ERROR):
            self.end()
        else:
            self.deadlines.at(_AGAIN, self.ask)

    def _release(self) -> None:
        address = self.listener.address
        if isinstance(address, str) and not self.relay.release(address):
            self.deadlines.at(_AGAIN, self._release)

    def _give_up(self) -> None:
        """Nginx gives up waiting sooner or later: have its clients told at once from now on."""
        self.listener.go_away()
        if self.app.pid is None:
            self.relay.take(self.listener.queues())
        self.relay.release(None)
