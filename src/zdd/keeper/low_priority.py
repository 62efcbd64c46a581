"""
The low priority of an app that starts: it yields to the versions that serve, as long as that leaves it some time.

Beside two CPU hogs that boot, p99 of what serves is 1.35 ms if they have the lowest priority, and 5.06 ms if not. But
where the cores are busy for good, an app that yields hardly runs at all: on two cores with a load average of 17, one
that needs 0.5 s of CPU to start took 11 to 15 s, and takes 4.2 s since this ends the low priority. The kernel says how
long its threads have run, and how long they were ready and got no core (/proc/PID/schedstat).
"""

from __future__ import annotations

from zdd.keeper.part import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zdd.keeper.part import Shared

_EVERY, _SELDOM = 0.5, 2.0  # seconds between looks; at an app that sleeps they grow, as a thousand may start together
_SLEEPS = 0.01  # seconds of a core: an app that has wanted no more since the last look sleeps
_WAITED = 1.0  # seconds that an app may lose by yielding; an app that gets a core whenever it wants one loses none
_SHARE = 5  # an app that has had more than a fifth of a core goes on, if slowly, while what serves keeps its pace
_AGAIN = 0.1  # seconds, if the kernel asks to try again


class LowPriority(Part):
    """Ends the low priority when the app serves, when it starves, or after `low_priority_for` of the record."""

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._since = self._wanted = 0.0
        self._pause = _EVERY

    def begin(self) -> None:
        """The app has started with a low priority."""
        self._since, self._wanted, self._pause = self.deadlines.now(), 0.0, _EVERY
        self.deadlines.at(self.record.low_priority_for, self.end)
        self.deadlines.at(_EVERY, self._look)

    def end(self) -> None:
        """Give the app the usual priority."""
        self.deadlines.cancel(self._look, self.end)
        if not self.app.full_speed():
            self.deadlines.at(_AGAIN, self.end)

    def _look(self) -> None:
        ran, waited = self.app.on_cores()
        elapsed = self.deadlines.now() - self._since
        if waited >= _WAITED and ran < elapsed / _SHARE:
            self.end()
            return
        self._pause = min(2 * self._pause, _SELDOM) if ran + waited < self._wanted + _SLEEPS else _EVERY
        self._wanted = ran + waited
        self.deadlines.at(self._pause, self._look)
