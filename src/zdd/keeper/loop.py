"""One thread, one poll(2): callbacks for descriptors that are ready, and for deadlines that have passed."""

from __future__ import annotations

import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 86400.0  # seconds of one poll(2), which takes its milliseconds as an int


class Deadlines:
    """Calls to make later, by the given clock. Each function has one deadline: a new one replaces it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._due: dict[Callable[[], object], tuple[float, float]] = {}  # from when on, and when at the latest

    def at(self, seconds: float, call: Callable[[], object], slack: float = 0.0) -> None:
        """Make the call once, this many seconds from now; or up to `slack` seconds later, when we are awake anyway."""
        due = self.now() + seconds
        self._due[call] = due, due + slack

    def about(self, seconds: float, call: Callable[[], object]) -> None:
        """Make the call once, in this many seconds or half as many later: looks that nobody waits for share a wake."""
        self.at(seconds, call, seconds / 2)

    def cancel(self, *calls: Callable[[], object]) -> None:
        """Cancel these calls, if they are set."""
        for call in calls:
            self._due.pop(call, None)

    def is_set(self, call: Callable[[], object]) -> bool:
        """Return whether this call is to be made."""
        return call in self._due

    def clear(self) -> None:
        """Cancel all calls."""
        self._due.clear()

    def next(self) -> float | None:
        """Return the seconds until a call has to be made; None if there is none."""
        return max(0.0, min(latest for _, latest in self._due.values()) - self.now()) if self._due else None

    def run(self) -> None:
        """Make the calls that are due, oldest first; calls that they set wait for the next run."""
        now = self.now()
        for call, when in sorted(self._due.items(), key=lambda pair: pair[1]):
            if when[0] <= now and self._due.get(call) == when:  # an earlier call may have cancelled or moved it
                del self._due[call]
                call()


class Loop:
    """Makes the callbacks of ready descriptors, with poll(2)'s events; a callback may also be made for no reason."""

    def __init__(self, deadlines: Deadlines) -> None:
        self.deadlines = deadlines
        self._poll = select.poll()
        self._calls: dict[int, Callable[[int], object]] = {}

    def watch(self, fd: int, events: int, call: Callable[[int], object]) -> None:
        """Call back at each of these events, at errors and hang-ups; replaces an earlier callback."""
        self._poll.register(fd, events)
        self._calls[fd] = call

    def forget(self, fd: int) -> None:
        """Stop watching. Call it before the descriptor is closed; an unwatched one is fine."""
        if self._calls.pop(fd, None):
            self._poll.unregister(fd)

    def turn(self) -> None:
        """Wait for an event or a deadline, and make the callbacks."""
        seconds = self.deadlines.next()
        for fd, events in self._poll.poll(None if seconds is None else int(min(seconds, _LONGEST) * 1000) + 1):
            if call := self._calls.get(fd):
                call(events)
        self.deadlines.run()
