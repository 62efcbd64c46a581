"""Held requests: new connections queue at a socket of the keeper that nobody accepts, until they are released."""

from __future__ import annotations

import select

from zdd.keeper.part import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from zdd.keeper.part import Shared

_AGAIN = 0.05  # seconds: by then descriptors or room in the app's queue may be free


class Hold(Part):
    """
    While `on`, the path that nginx connects to leads to the waiting socket, and only the keeper knows the app's own.

    So an app that is being started gets no request until it has proved itself. Then the waiting connections are relayed
    to it, and those that still arrive at the waiting socket. Connections whose client has hung up are dropped.
    `overdue` is called when one has waited for `longest` seconds. Without a waiting socket only `on` is set.
    """

    def __init__(self, shared: Shared, overdue: Callable[[], None]) -> None:
        super().__init__(shared)
        self.overdue = overdue
        self.on = False
        self.paused_until: float | None = None
        self._longest = 0.0
        self._to: str | None = None
        self._queue: socket.socket | None = None

    @property
    def queues(self) -> list[socket.socket]:
        """Return the sockets where connections wait."""
        return [self._queue] if self._queue else []

    def begin(self, longest: float) -> None:
        """Hold new connections from now on. Raises OSError."""
        self.on, self._longest = True, longest
        self.deadlines.cancel(self._relay_waiting)
        self._queue = self.listener.hold()
        if self._queue:
            self.loop.watch(self._queue.fileno(), select.POLLIN, self._first_arrived)

    def end(self) -> None:
        """Release the waiting connections, and lead new ones to the app: it has proved itself."""
        if self.on:
            self.on = False
            self.listener.admit()
            self.send_to(self.listener.address)

    def pause(self, seconds: float) -> None:
        """Hold requests from now on, for at most this long. Raises OSError."""
        self.begin(seconds)
        self.paused_until = self.deadlines.now() + seconds
        self.deadlines.at(seconds, self.resume)

    def resume(self) -> bool:
        """Release the requests of a pause; return False if there was none."""
        paused, self.paused_until = self.paused_until is not None, None
        if paused:
            self.deadlines.cancel(self.resume)
            self.end()
        return paused

    def send_to(self, address: str | int | None) -> None:
        """Relay the waiting connections, and new ones at the waiting socket, to the socket at this path."""
        self.deadlines.cancel(self.overdue)
        if self._queue and isinstance(address, str):
            self._to = address
            self._relay_waiting()

    def abandon(self) -> None:
        """Stop managing waiting connections; `Shutdown` relays them."""
        self.deadlines.cancel(self.overdue, self._relay_waiting)
        for queue in self.queues:
            self.loop.forget(queue.fileno())

    def _first_arrived(self, _: int) -> None:
        if self._queue:
            self.loop.forget(self._queue.fileno())
            self.deadlines.at(self._longest, self.overdue)

    def _relay_waiting(self) -> None:
        """Relay as many connections as descriptors and the app's queue allow, and the rest a moment later."""
        if not self._queue:
            return
        self.loop.forget(self._queue.fileno())
        took_all = self.relay.take([self._queue])
        if self.relay.release(self._to) and took_all:
            self.loop.watch(self._queue.fileno(), select.POLLIN, lambda _: self._relay_waiting())
        else:
            self.deadlines.at(_AGAIN, self._relay_waiting)
