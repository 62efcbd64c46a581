"""Where an instance listens: the interface of all kinds, and the kind of a worker, which does not listen."""

from __future__ import annotations

import os

from zdd.host import files, net_unix, sock_diag
from zdd.host.light import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.loop import Loop
    from zdd.keeper.record import Record

BACKLOG = 65535  # the kernel takes net.core.somaxconn if that is less
SOON, NOW_AND_THEN, SELDOM, NEVER = 0.01, 1.0, 4.0, 1e6  # seconds until the next `tend`


class Listener:
    """The listener of a worker: nothing to hold, nothing to count. The other kinds override methods."""

    listen_socket: socket.socket | None = None  # inherited by the app
    port: int | None = None
    address: str | int | None = None  # for health requests: a path or a port
    placeholder: str | None = None  # a name of `listen_socket` in the app's folder, which the app may unlink
    ends_with_app = False  # while no app runs, connections must wait at another socket
    can_lead = False  # new connections can be led to a sibling; else they are relayed
    is_watched = False  # `tend` is called when a name has changed, so it need not be called often

    def __init__(self, record: Record, loop: Loop) -> None:
        self.record = record
        self.loop = loop
        self.borrowed: list[socket.socket] = []  # the app's own sockets
        self._may_borrow = True

    def open(self, on_loss: Callable[[bool], None]) -> None:
        """
        Create the socket, or reserve the port. Raises OSError.

        `on_loss` is called when no connection can reach the app's socket any more: with True if the app has shut it
        down itself, so that it should end soon, with False if all its names have been removed.
        """

    def queues(self) -> list[socket.socket]:
        """Return the sockets where connections may be queued."""
        return []

    @property
    def may_wait(self) -> bool:
        """Whether new connections wait with us, and not at what is left of an app that has ended."""
        return True

    def borrow(self) -> None:
        """Duplicate the app's own sockets, until `give_back`: so what waits there outlives the app."""
        if not self._may_borrow:
            return
        self._may_borrow = False
        try:
            from zdd.keeper import app_queue  # here, because it is seldom needed

            self.borrowed = app_queue.duplicates(self.listening() or set())
        except (ImportError, AttributeError):  # zdd's files are gone, or have been upgraded
            pass

    def give_back(self) -> None:
        """Close what is borrowed; the kernel resets what waits there if no process of the app has the sockets."""
        for each in self.borrowed:
            each.close()
        self.borrowed, self._may_borrow = [], True

    def hold(self) -> socket.socket | None:
        """Lead new connections to a socket that nobody accepts, and return it; None if there is no such socket."""
        return None

    def admit(self) -> None:
        """Lead new connections to the app again."""

    def lead(self, path: str) -> None:
        """Lead new connections to a sibling's path, until the next `hold` or `restore`."""

    def cover(self) -> None:
        """Prepare for the time without an app."""

    def prepare(self) -> None:
        """Prepare for the next start of the app. Raises OSError."""

    def repair(self) -> None:
        """Undo what an app has done to the socket before it ended."""

    def tend(self) -> float:
        """Maintain the socket while the app runs; return the seconds until the next look."""
        return NEVER

    def withdraw(self) -> None:
        """Remove the path, so that connections fail immediately."""

    def restore(self) -> None:
        """Put the path back."""

    def connections(self) -> int:
        """Count the connections, queued or accepted."""
        return 0

    def files(self) -> list[sock_diag.File] | None:
        """Return the files by which one list of all sockets shows the connections; None if only we can count them."""
        return []

    def accepted(self) -> set[int]:
        """Return the inodes of the accepted connections, as far as this network namespace shows them."""
        return set()

    def served(self) -> int:
        """Count the connections that the app has accepted, also from other network namespaces; 0 if unknown."""
        return 0

    def listening(self) -> set[int] | None:
        """Return the inodes of the sockets of which the app must hold one; None if it needs none."""
        return None

    def backlog(self) -> int:
        """Count the connections that the app has not accepted yet."""
        return 0

    def served_inodes(self) -> set[int]:
        """Return the inodes of the connections that the app has accepted, as far as they are visible here."""
        return self.accepted()

    def others(self) -> tuple[str | None, str | None]:
        """Return what other programs than the app listen here: one of another user's, and one of root's, in words."""
        return None, None

    def stranger(self) -> str | None:
        """Return a description of another user's program that listens here; None if there is none."""
        return self.others()[0]

    def close(self) -> None:
        """Close the sockets; the kernel resets connections that are still queued."""


def endpoint(address: str | int) -> tuple[int, str | tuple[str, int]]:
    """Return the family and the address for socket(2) and connect(2); a port is one of 127.0.0.1."""
    return (socket.AF_UNIX, address) if isinstance(address, str) else (socket.AF_INET, ("127.0.0.1", address))


def connections_to_path(
    file: tuple[int, int] | None, name: str, nginx_pid_file: str | None, in_queue: int | None = None
) -> int:
    """
    Count the connections to a UNIX socket: `file` is its (device, inode), `name` what it was bound to.

    `in_queue` is as in sock_diag.connections_to.

    A connection belongs to the network namespace of the process that connected. The inode finds only those of our own
    namespace. So nginx's is searched by name if it is another one, or may be: nginx is another user's, or its pid file
    is stale.
    """
    by_inode = sock_diag.connections_to(file, in_queue)
    if by_inode is None:  # no socket listens any more, but accepted connections are still served
        by_inode = net_unix.connections_by_name(name, os.getpid())
    nginx = elsewhere(nginx_pid_file)
    return by_inode if nginx is None else max(by_inode, net_unix.connections_by_name(name, nginx))


def elsewhere(nginx_pid_file: str | None) -> int | None:
    """Return the nginx of this pid file if it is in another network namespace, or may be."""
    nginx = files.read_number(nginx_pid_file) if nginx_pid_file else None
    return None if nginx is None or _namespace(nginx) == _namespace(os.getpid()) else nginx


def count_connections(record: Record | None, keep: str) -> int:
    """Count the connections to an instance without asking its keeper. Its app may have bound one of several names."""
    file, nginx = sock_diag.file_of(keep), record.nginx_pid_file if record else None
    names = [keep, *(f"{folder}/{name}" for folder in _app_folders(record) for name in ("s", "socket"))]
    return max(connections_to_path(file, name, nginx) for name in names)


def _app_folders(record: Record | None) -> list[str]:
    """Return the app's folders: one for each socket that the instance has had."""
    if not record or not record.app_folder:
        return []
    above, prefix = os.path.split(record.app_folder)
    try:
        return [f"{above}/{name}" for name in os.listdir(above) if name.startswith(f"{prefix}.")]
    except OSError:
        return []


def _namespace(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return None
