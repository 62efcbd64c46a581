"""Connections that have been open for long, such as WebSockets: told from requests by looking now and then."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zdd.keeper.listener import Listener
    from zdd.keeper.loop import Deadlines

LONG = 10.0  # seconds; one that has been open for twice as long is surely among them


class LongLived:
    """
    Knows which connections have been open for at least LONG seconds; nothing else tells them from slow requests.

    Connections are known by their sockets' inodes, so those of an nginx in another network namespace are not.
    """

    def __init__(self, listener: Listener, deadlines: Deadlines) -> None:
        self.listener, self.deadlines = listener, deadlines
        self._seen: set[int] = set()
        self._old: set[int] = set()

    def begin(self) -> None:
        """Look from now on."""
        self.deadlines.at(LONG, self.begin)
        now = self.listener.accepted()
        self._old, self._seen = self._seen & now, now

    def count(self) -> int:
        """Return how many of them are open."""
        return len(self._old & self.listener.accepted()) if self._old else 0
