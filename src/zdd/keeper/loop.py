"""One thread, one poll(2): descriptors that become ready, and deadlines that pass."""

from __future__ import annotations

import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Deadlines:
    """Calls to make later, by a clock passed in. One per function: setting it again replaces it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._due: dict[Callable[[], object], float] = {}

    def at(self, seconds: float, call: Callable[[], object]) -> None:
        """Have it called once, this many seconds from now."""
        self._due[call] = self.now() + seconds

    def cancel(self, *calls: Callable[[], object]) -> None:
        """Forget these calls, set or not."""
        for call in calls:
            self._due.pop(call, None)

    def clear(self) -> None:
        """Forget all calls."""
        self._due.clear()

    def next(self) -> float | None:
        """Return the seconds until the first call is due, None when there is none."""
        return max(0.0, min(self._due.values()) - self.now()) if self._due else None

    def run(self) -> None:
        """Make the calls that are due, the oldest first; what they set themselves waits for the next time."""
        now = self.now()
        for call, when in sorted(self._due.items(), key=lambda pair: pair[1]):
            if when <= now and self._due.get(call) == when:  # an earlier one may have cancelled or moved it
                del self._due[call]
                call()


class Loop:
    """Calls back who waits for a descriptor; callbacks get poll(2)'s events and bear being called for nothing."""

    def __init__(self, deadlines: Deadlines) -> None:
        self.deadlines = deadlines
        self._poll = select.poll()
        self._calls: dict[int, Callable[[int], object]] = {}

    def watch(self, fd: int, events: int, call: Callable[[int], object]) -> None:
        """Call back whenever one of the events (or an error, or a hang-up) is there; replaces what was set."""
        self._poll.register(fd, events)
        self._calls[fd] = call

    def forget(self, fd: int) -> None:
        """Stop watching; to be called before the descriptor is closed. One that is not watched is fine."""
        if self._calls.pop(fd, None):
            self._poll.unregister(fd)

    def turn(self) -> None:
        """Wait until something happens, and have it dealt with."""
        seconds = self.deadlines.next()
        for fd, events in self._poll.poll(None if seconds is None else int(seconds * 1000) + 1):
            if call := self._calls.get(fd):
                call(events)
        self.deadlines.run()
