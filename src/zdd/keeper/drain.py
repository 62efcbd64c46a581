"""How the connections of an instance end: counted until none is left, cut if they are long-lived, or relayed."""

from __future__ import annotations

from zdd.keeper.part import Part
from zdd.keeper.siblings import Siblings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.host.process import Process
    from zdd.keeper.hold import Hold
    from zdd.keeper.part import Shared

_SHARE, _SHORTEST, _LONGEST = 20, 0.01, 0.5  # a pause is 20 times as long as the last count, within bounds
# Seconds for connections that may never end, if requests wait for the end of the drain (stop-first): those wait as much
# longer, and an upload or a report that has taken long already may still end. Nothing tells it from a WebSocket.
_ENDLESS = 2.0
_SURE = 2  # counts of 0 in a row: nginx may have looked up the path just before it changed
_AGAIN = 0.05  # seconds between looks at the connections that are relayed at the end
# Seconds in which none of those who wait was accepted: so much longer they wait at a version that accepts nobody. An
# app of one thread accepts none during a slow request, and whoever is handed on is relayed for as long as it stays.
_STUCK = 0.5
_LONG = 10.0  # seconds; a connection that has been open for twice as long surely counts as long-lived


class Drain(Part):
    """
    Counts connections until none is left, or the time is up; then calls `done`.

    A retired instance stays warm before that, until `due` is called. Connections that wait in the queue are handed on
    to an instance that serves if the app accepts none of them for a while, or when the time is up. For that the keeper
    holds the socket, or borrows it from the app.
    """

    def __init__(self, shared: Shared, due: Callable[[], object], done: Callable[[], object]) -> None:
        super().__init__(shared)
        self.due, self.done = due, done
        self.siblings = Siblings(self.record)
        self.cut = 0  # how many were left when the time was up
        self.handed = 0  # how many were handed on
        self.seconds = 0.0  # how long it took
        self._since = self._warm = self._warm_since = 0.0
        self._planned: tuple[float, list[Process], Callable[[], int] | None] = (0.0, [], None)
        self._most = self._zeros = 0
        self._queue = (0, 0.0)  # how many wait to be accepted, and since when
        self._handing: set[object] = set()  # the relay's, for those that are handed on
        self._hands_on = False

    @property
    def drained(self) -> int:
        """Return how many connections have ended by themselves: the highest count, less the others."""
        return max(0, self._most - self.cut - self.handed)

    def plan(
        self, warm: float, patience: float, workers: list[Process], endless: Callable[[], int] | None = None
    ) -> None:
        """
        Set the times of the next drain, and the processes that it waits for: nginx's workers from before.

        `endless` counts the connections that are not expected to end: once only such are left they are cut, though not
        before two seconds have gone by.
        """
        self._warm, self._planned = warm, (patience, workers, endless)

    def keep_warm(self) -> None:
        """Wait before the drain; called again, the new time holds."""
        self._warm_since = self.deadlines.now()
        self.deadlines.at(self._warm, self.due)
        if self._warm <= 0:
            self.due()

    def cancel(self) -> None:
        """Do not drain for now."""
        self.deadlines.cancel(self.due)

    def renew(self, warm: float, patience: float) -> None:
        """Apply new times, also to what has begun."""
        now = self.deadlines.now()
        self._planned = (patience, *self._planned[1:])
        if self.deadlines.is_set(self.due):
            self._warm = warm
            self.deadlines.at(max(0.0, self._warm_since + warm - now), self.due)
        if self.deadlines.is_set(self._time_is_up):
            self.deadlines.at(max(0.0, self._since + patience - now), self._time_is_up)

    def begin(self) -> None:
        """Wait until the connections and the processes have ended."""
        self._since = self.deadlines.now()
        patience, self._workers, self._endless = self._planned
        self.cut = self.handed = self._most = self._zeros = 0
        self._queue, self._hands_on = (0, 0.0), False
        self.deadlines.at(patience, self._time_is_up)
        self._look()

    def _look(self) -> None:
        self.deadlines.at(_LONGEST, self._look)  # even if counting fails
        began = self.deadlines.now()
        count = self._count()
        self._most = max(self._most, count)
        if (count and self._is_stuck(began)) or self.relay.waiting:
            self._hand_on()
            count = self._count()
        cost = self.deadlines.now() - began
        self._most = max(self._most, count)
        self._workers = [worker for worker in self._workers if worker.alive()]
        self._zeros = 0 if count or self._workers else self._zeros + 1
        if self._zeros == _SURE:
            self._end()
        elif count and self._endless and began >= self._since + _ENDLESS and count <= self._endless():
            self._time_is_up()
        else:
            self.deadlines.at(pause_after(cost), self._look)

    def _count(self) -> int:
        """Count the connections, without those that were handed on."""
        handing = len(self._handing & self.relay.pipes) + len(self.relay.waiting)
        return max(0, self.listener.connections() - (handing if self._hands_on else 0))

    def _is_stuck(self, now: float) -> bool:
        """Return whether connections wait, and none of them has been accepted for a while."""
        number = self.listener.backlog()
        if number != self._queue[0]:
            self._queue = (number, now)
        return bool(number) and now >= self._queue[1] + _STUCK

    def _hand_on(self) -> None:
        """Relay the connections that wait to an instance that serves, if there is one."""
        sibling = self.siblings.taking()
        if sibling is None:
            return
        self._hands_on, before = True, set(self.relay.pipes)
        self.listener.borrow()
        self.relay.take_from_app(self.listener.queues())
        self.relay.release(sibling)
        fresh = self.relay.pipes - before
        self.handed += len(fresh)
        self._handing |= fresh

    def _time_is_up(self) -> None:
        try:
            self._hand_on()
            self.cut = self._count()
        finally:
            self._most = max(self._most, self.cut)
            self._end()

    def _end(self) -> None:
        self.seconds = self.deadlines.now() - self._since
        self.deadlines.cancel(self._look, self._time_is_up)
        self.done()


def pause_after(cost: float) -> float:
    """Return the seconds until the next count; the last one took `cost` seconds."""
    return min(max(_SHARE * cost, _SHORTEST), _LONGEST)


class LongLived(Part):
    """
    Knows which connections have been open for at least _LONG seconds, by looking at intervals.

    Connections are known by the inodes of their sockets. So those of an nginx in another network namespace are unknown.
    """

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._seen: set[int] = set()
        self._old: set[int] = set()

    def begin(self) -> None:
        """Look now, and again every _LONG seconds."""
        self.deadlines.at(_LONG, self.begin)
        now = self.listener.accepted()
        self._old, self._seen = self._seen & now, now

    def count(self) -> int:
        """Return how many long-lived connections are open."""
        return len(self._old & self.listener.accepted()) if self._old else 0


class Shutdown(Part):
    """
    Removes the instance from where others see it, once all processes of its app have ended.

    Connections that arrived after the last count are relayed.

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
        numbers = {"drained": self.drain.drained, "cut": self.drain.cut, "handed": self.drain.handed}
        self.control.push({"event": "gone", "seconds": seconds} | numbers)
        self.record.remove()
        self.control.close()
        self._relay_rest()

    def _relay_rest(self) -> None:
        """Relay the remaining connections to an instance that serves, as many as there are free descriptors."""
        took_all = self.relay.take(self.listener.queues() + self.hold.queues)
        self.relay.release(self.drain.siblings.taking())
        if took_all and not self.relay.busy:
            self._finish()
        else:
            self.deadlines.at(_AGAIN, self._relay_rest)

    def _finish(self) -> None:
        self.deadlines.clear()
        self.listener.close()
        self.relay.close()
        self.over = True
