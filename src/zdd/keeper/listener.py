"""Where an instance listens: a socket the keeper holds (fd), the app's own (unix), a port (tcp), nowhere (none)."""

from __future__ import annotations

import os
import select
import socket
import stat

from zdd.host import acl, files
from zdd.keeper import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from zdd.keeper.loop import Loop
    from zdd.keeper.record import Record

_BACKLOG = 65535  # the kernel takes net.core.somaxconn if that is less
_SOON, _NOW_AND_THEN, _NEVER = 0.01, 1.0, 1e6


def listener(record: Record, loop: Loop) -> Listener:
    """Return the kind that the record asks for."""
    if record.kind == "fd":
        return _Held(record, loop)
    return {"unix": _Own, "tcp": _Port}.get(record.kind, Listener)(record)


class Listener:
    """A worker's: nothing to hold, nothing to count. The others replace what differs for them."""

    held: socket.socket | None = None  # what the app is given
    port: int | None = None
    address: str | int | None = None  # where a health request goes: a path, or a port

    def __init__(self, record: Record) -> None:
        self.record = record

    def open(self, on_shutdown: Callable[[], None]) -> None:
        """Take the place; `on_shutdown` is called when the app has shut the socket down. Raises OSError."""

    def queues(self) -> list[socket.socket]:
        """Return the sockets in which connections may wait."""
        return []

    def hold(self) -> socket.socket | None:
        """Lead who comes to a socket that nobody accepts, and return it; None without a socket of ours."""
        return None

    def let_in(self) -> None:
        """Lead who comes to the app again."""

    def prepare(self) -> None:
        """Make it ready for the app that starts next. Raises OSError."""

    def restore(self) -> None:
        """Repair what an app has done to it on its way out."""

    def tend(self) -> float:
        """Look after it while the app runs; returns in how many seconds to look again."""
        return _NEVER

    def go_away(self) -> None:
        """Have connects fail at once."""

    def come_back(self) -> None:
        """Be found again."""

    def connections(self) -> int:
        """Count the connections, queued or accepted."""
        return 0

    def close(self) -> None:
        """Let go of it; what is still in a queue is reset."""


class _Held(Listener):
    """
    The socket is bound in the instance's folder, and the path that nginx connects to is a hard link to that name.

    So the path can be taken away and brought back, by us or by an app that unlinks it, and the socket lives on; and the
    connections can be counted all the same, since that is done by the socket's inode. While requests wait, the path is
    a link to another socket.
    """

    def __init__(self, record: Record, loop: Loop) -> None:
        super().__init__(record)
        self.loop = loop
        self.away = False
        self.name = record.socket
        self._number = 0
        self._former: list[tuple[socket.socket, str]] = []  # shut down, but the app may still serve who came by them
        self._waiting: socket.socket | None = None
        self._holding = False

    def open(self, on_shutdown: Callable[[], None]) -> None:
        self._number += 1
        name = f"{self.record.folder}/name.{self._number}"
        fresh = _listening(name, self.record.access)
        self.held, self.address, self.name = fresh, name, name
        self._publish()

        def ready(events: int) -> None:
            if events & (select.POLLHUP | select.POLLRDHUP):
                self.loop.forget(fresh.fileno())
                self._former.append((fresh, name))
                self.open(on_shutdown)
                on_shutdown()

        self.loop.watch(fresh.fileno(), select.POLLRDHUP, ready)

    def queues(self) -> list[socket.socket]:
        return [former for former, _ in self._former] + ([self.held] if self.held else [])

    def hold(self) -> socket.socket:
        if self._waiting is None:
            self._waiting = _listening(self._waiting_name, self.record.access)
        self._holding = True
        self._publish()
        return self._waiting

    def let_in(self) -> None:
        self._holding = False
        self.tend()

    def prepare(self) -> None:
        for former, name in self._former:
            former.close()
            files.remove(name)
        self._former.clear()
        if self.held:
            self.held.setblocking(True)  # shared by all copies: the last app may have changed it, and so do we

    def restore(self) -> None:
        if self.held:
            self.held.listen(_BACKLOG)  # the app's own listen() has cut the queue
            self.tend()

    def tend(self) -> float:
        try:
            if not self.away:
                self._publish()
        except OSError:  # somebody has removed a folder, or locked us out: it may change again
            pass
        return _NOW_AND_THEN

    def go_away(self) -> None:
        self.away = True
        try:
            files.remove(self.record.socket)
        except OSError:
            pass  # as above

    def come_back(self) -> None:
        self.away = False
        self.tend()

    def connections(self) -> int:
        names = [name for _, name in self._former] + [self.name]
        return sum(count.to_socket(name, name, self.record.nginx_pid_file) for name in names)

    def close(self) -> None:
        for queue in self.queues():
            self.loop.forget(queue.fileno())
            queue.close()
        self.held = None

    @property
    def _waiting_name(self) -> str:
        return f"{self.record.folder}/waiting"

    def _publish(self) -> None:
        name = self._waiting_name if self._holding else self.name
        if _same_file(name, self.record.socket):
            return
        temporary = f"{self.record.folder}/link"
        files.remove(temporary)
        os.link(name, temporary)
        os.rename(temporary, self.record.socket)


class _Own(Listener):
    """The app binds the path itself. A hard link in our folder, where the app cannot write, is what we work on."""

    def __init__(self, record: Record) -> None:
        super().__init__(record)
        self.address = record.socket
        self.name = f"{record.folder}/name"

    def prepare(self) -> None:
        for path in (self.record.socket, self.name):  # granian, daphne and node refuse to start on a stale one
            files.remove(path)

    def tend(self) -> float:
        """Let in who may connect, as soon as the socket is there, and again whenever it is another one."""
        if _same_file(self.name, self.record.socket):
            return _NOW_AND_THEN
        files.remove(self.name)
        try:
            os.link(self.record.socket, self.name, follow_symlinks=False)
        except FileNotFoundError:
            return _SOON
        found = os.lstat(self.name)
        if not stat.S_ISSOCK(found.st_mode) or self.record.uid not in (None, found.st_uid):
            files.remove(self.name)  # whatever the app has put there, it is not for us to open it to anybody
            return _SOON
        _let_in(self.name, self.record.access)
        return _NOW_AND_THEN

    def connections(self) -> int:
        return count.to_socket(self.name, self.record.socket, self.record.nginx_pid_file)


class _Port(Listener):
    """A port of 127.0.0.1, bound but not listening: the app binds it as well, and nobody else is given it."""

    def open(self, on_shutdown: Callable[[], None]) -> None:  # noqa: ARG002
        self._guard = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._guard.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._guard.bind(("127.0.0.1", 0))
        self.port = self.address = self._guard.getsockname()[1]

    def connections(self) -> int:
        return count.to_port(self.port) if self.port else 0


def _listening(name: str, access: list[int]) -> socket.socket:
    files.remove(name)
    fresh = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh.bind(name)
    _let_in(name, access)
    fresh.listen(_BACKLOG)
    return fresh


def _let_in(path: str, users: list[int]) -> None:
    """Let these users connect, besides the socket's owner, and nobody else."""
    os.chmod(path, 0o600)
    if users:
        acl.allow(path, dict.fromkeys(users, acl.READ | acl.WRITE))


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except FileNotFoundError:
        return False
