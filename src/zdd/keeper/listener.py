"""Where an instance listens. What all kinds have in common, and the kind of a worker, which listens nowhere."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from zdd.keeper.loop import Loop
    from zdd.keeper.record import Record

BACKLOG = 65535  # the kernel takes net.core.somaxconn if that is less
SOON, NOW_AND_THEN, NEVER = 0.01, 1.0, 1e6  # seconds until the next `tend`


class Listener:
    """A worker's: nothing to hold, nothing to count. The other kinds replace what differs for them."""

    held: socket.socket | None = None  # what the app is given
    port: int | None = None
    address: str | int | None = None  # where a health request goes: a path, or a port
    placeholder: str | None = None  # where the app finds the name of `held`: it may unlink it
    ends_with_app = False  # connections cannot wait in it while no app runs: they have to wait at another socket

    def __init__(self, record: Record, loop: Loop) -> None:
        self.record = record
        self.loop = loop

    def open(self, on_loss: Callable[[bool], None]) -> None:
        """
        Take the place. Raises OSError.

        `on_loss` is called when no connection can come by the app's socket any more: with True when the app has shut it
        down itself, so that it should be ending, with False when somebody has removed all names of it.
        """

    def queues(self) -> list[socket.socket]:
        """Return the sockets in which connections may wait."""
        return []

    def hold(self) -> socket.socket | None:
        """Lead new connections to a socket that nobody accepts, and return it; None without a socket of ours."""
        return None

    def let_in(self) -> None:
        """Lead new connections to the app again."""

    def cover(self, alone: bool) -> None:
        """Do what is needed while no app runs; `alone` says that no other instance of the service could answer."""
        if not alone:
            self.go_away()

    def prepare(self) -> None:
        """Make it ready for the app that starts next. Raises OSError."""

    def restore(self) -> None:
        """Repair what an app has done to it on its way out."""

    def tend(self) -> float:
        """Look after it while the app runs; return in how many seconds to look again."""
        return NEVER

    def go_away(self) -> None:
        """Remove the path, so that connections fail immediately."""

    def come_back(self) -> None:
        """Put the path back."""

    def connections(self) -> int:
        """Count the connections, queued or accepted."""
        return 0

    def accepted(self) -> set[int]:
        """Return the accepted connections, each by the inode of its socket, as far as they are seen from here."""
        return set()

    def served(self) -> int:
        """Count the connections that the app has accepted, wherever nginx runs, where that is known."""
        return 0

    def listening(self) -> set[int] | None:
        """Return the inodes of the sockets that must be held for clients to be served; None where that is nothing."""
        return None

    def is_waited_at(self) -> bool:
        """Tell whether a connection waits to be accepted at this moment, where that is known without a cost."""
        return False

    def stranger(self) -> str | None:
        """Return who listens here and is not the app, in words; None when nobody does."""
        return None

    def close(self) -> None:
        """Close it; the kernel resets what is still in a queue."""
