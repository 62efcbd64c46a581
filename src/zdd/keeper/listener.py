"""Where an instance listens. What all kinds have in common, and the kind of a worker, which listens nowhere."""

from __future__ import annotations

import os
import socket

from zdd.host import files, sock_diag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.loop import Loop
    from zdd.keeper.record import Record

BACKLOG = 65535  # the kernel takes net.core.somaxconn if that is less
SOON, NOW_AND_THEN, NEVER = 0.01, 1.0, 1e6  # seconds until the next `tend`


class Listener:
    """A worker's: nothing to hold, nothing to count. The other kinds replace what differs for them."""

    listen_socket: socket.socket | None = None  # what the app is given
    port: int | None = None
    address: str | int | None = None  # where a health request goes: a path, or a port
    placeholder: str | None = None  # where the app finds the name of `listen_socket`: it may unlink it
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

    def admit(self) -> None:
        """Lead new connections to the app again."""

    def cover(self, sole: bool) -> None:
        """Do what is needed while no app runs; `sole` says that no other instance of the service could answer."""
        if not sole:
            self.withdraw()

    def prepare(self) -> None:
        """Make it ready for the app that starts next. Raises OSError."""

    def repair(self) -> None:
        """Repair what an app has done to it on its way out."""

    def tend(self) -> float:
        """Look after it while the app runs; return in how many seconds to look again."""
        return NEVER

    def withdraw(self) -> None:
        """Remove the path, so that connections fail immediately."""

    def restore(self) -> None:
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

    def has_waiting(self) -> bool:
        """Tell whether a connection waits to be accepted at this moment, where that is known without a cost."""
        return False

    def stranger(self) -> str | None:
        """Return who listens here and is not the app, in words; None when nobody does."""
        return None

    def close(self) -> None:
        """Close it; the kernel resets what is still in a queue."""


def endpoint(address: str | int) -> tuple[int, str | tuple[str, int]]:
    """Return the family and the address as socket(2) and connect(2) take them."""
    return (socket.AF_UNIX, address) if isinstance(address, str) else (socket.AF_INET, ("127.0.0.1", address))


def connections_to_path(file: tuple[int, int] | None, name: str, nginx_pid_file: str | None) -> int:
    """
    Count the connections to a UNIX socket: `file` is its (device, inode), `name` what it was bound to.

    A connection is in the network namespace of the process that connected. By inode only our own is seen, so nginx's is
    searched for the name when it has another, or may have: it is another user's, or its pid file is stale.
    """
    by_inode = sock_diag.connections_to(file)
    if by_inode is None:  # nobody listens any more, yet what was accepted is still served
        by_inode = sock_diag.connections_by_name(name, os.getpid())
    nginx = files.read_number(nginx_pid_file) if nginx_pid_file else None
    if nginx is None or _namespace(nginx) == _namespace(os.getpid()):
        return by_inode
    return max(by_inode, sock_diag.connections_by_name(name, nginx))


def _namespace(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return None
