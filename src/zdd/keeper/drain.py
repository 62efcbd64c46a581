"""Waiting until nobody is connected any more."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.host.process import Process
    from zdd.keeper.loop import Deadlines

_SHARE, _SHORTEST, _LONGEST = 20, 0.01, 0.5  # a pause is 20 times what the count took, within bounds
_ENDLESS = 2.0  # seconds for connections that would never end, where requests wait for the end of the drain
_SURE = 2  # counts of 0 in a row: nginx may have looked the path up just before it led elsewhere


class Drain:
    """Counts until there is nothing left to count, or the time is up; then calls `done`."""

    def __init__(self, connections: Callable[[], int], deadlines: Deadlines, done: Callable[[], None]) -> None:
        self.connections, self.deadlines, self.done = connections, deadlines, done
        self.cut = 0  # how many were left when the time was up
        self.seconds = 0.0  # how long it took
        self._since = 0.0
        self._workers: list[Process] = []
        self._endless: Callable[[], int] | None = None
        self._most = self._zeros = 0

    @property
    def drained(self) -> int:
        """Return how many connections have ended by themselves, as far as seen: the most there were, less the cut."""
        return self._most - self.cut

    def begin(self, patience: float, workers: list[Process], endless: Callable[[], int] | None = None) -> None:
        """
        Wait, at most this long, for the connections to end, and for these processes: nginx's workers from before.

        `endless` counts the connections that are not expected to end: once only such are left they are cut, though not
        before two seconds have gone by.
        """
        self._since, self._workers, self._endless = self.deadlines.now(), workers, endless
        self.cut = self._most = self._zeros = 0
        self.deadlines.at(patience, self._time_is_up)
        self._look()

    def _look(self) -> None:
        self.deadlines.at(_LONGEST, self._look)  # also when counting fails
        began = self.deadlines.now()
        count = self.connections()
        cost = self.deadlines.now() - began
        self._most = max(self._most, count)
        self._workers = [worker for worker in self._workers if worker.alive()]
        self._zeros = 0 if count or self._workers else self._zeros + 1
        if self._zeros == _SURE:
            self._end()
        elif count and self._endless and began >= self._since + _ENDLESS and count <= self._endless():
            self._time_is_up()
        else:
            self.deadlines.at(min(max(_SHARE * cost, _SHORTEST), _LONGEST), self._look)

    def _time_is_up(self) -> None:
        try:
            self.cut = self.connections()
        finally:
            self._most = max(self._most, self.cut)
            self._end()

    def _end(self) -> None:
        self.seconds = self.deadlines.now() - self._since
        self.deadlines.cancel(self._look, self._time_is_up)
        self.done()
