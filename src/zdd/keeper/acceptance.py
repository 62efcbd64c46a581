"""Whether the app accepts the connections that wait in the queue of its socket."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.listener import Listener

# Seconds without a new connection, while some wait, after which the answer to `status` says so; nothing else follows.
# An app of one thread that is at work on a slow request looks like it, too.
_STALLED = 10.0


class Acceptance:
    """
    Knows how many connections wait, and since when the app has accepted none of them.

    It sees a new connection by its inode, or by a shorter queue; the queue is first in, first out.
    """

    def __init__(self, listener: Listener, now: Callable[[], float]) -> None:
        self.listener, self.now = listener, now
        self.waiting = 0
        self._since = 0.0
        self._served: set[int] = set()

    def look(self) -> bool:
        """Look again; return whether connections wait while not a single one is served."""
        before, self.waiting = self.waiting, self.listener.backlog()
        if not self.waiting:
            return False
        served = self.listener.served_inodes()
        if not before or self.waiting < before or served - self._served:
            self._since = self.now()
        self._served = served
        return not (served or self.listener.served())

    def forget(self) -> None:
        """Start over: another app runs, or none."""
        self.waiting = 0

    @property
    def stalled(self) -> float | None:
        """Return for how many seconds connections have waited and none was accepted; None if that is not long."""
        seconds = self.now() - self._since
        return seconds if self.waiting and seconds >= _STALLED else None
