"""
A UNIX socket as nginx finds it: by a path in the instance's own folder, where the app cannot write.

    keep        the socket that the app serves; used by health requests, counts and sibling instances
    waiting     a socket that nobody accepts, while requests are held
    socket      the target of the slots of a table: a hard link of one of these, during an outage perhaps a symbolic
                link to a sibling's, or missing
    app.1/      the app's folder: names that it binds, unlinks or creates there have no effect elsewhere

No socket has only a name that the app can reach. This code uses names in our own folder only, and never follows a link
that an app has made.
"""

from __future__ import annotations

import os

from zdd.host import acl, files, sock_diag
from zdd.host.light import socket
from zdd.keeper.listener import BACKLOG, NOW_AND_THEN, SELDOM, Listener, connections_to_path, elsewhere

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zdd.keeper.loop import Loop
    from zdd.keeper.record import Record


class PathListener(Listener):
    """The common part of sockets that the keeper holds and of those that the app binds."""

    can_lead = True

    def __init__(self, record: Record, loop: Loop) -> None:
        super().__init__(record, loop)
        self.address = record.keep
        self._away = self._holding = False
        self._led_to: str | None = None
        self._waiting: socket.socket | None = None

    def hold(self) -> socket.socket:
        """Lead new connections to the waiting socket, and return it."""
        if self._waiting is None:
            self._waiting = bind(self.record.waiting, self.record.access)
        self._holding, self._led_to = True, None
        self._publish()
        return self._waiting

    def lead(self, path: str) -> None:
        """
        Lead new connections to a sibling's path. The link is symbolic, so it leads on to wherever the sibling leads.

        It hides no app from its keeper: the sibling counts these connections as its own.
        """
        self._away, self._led_to = False, path
        self.tend()

    def admit(self) -> None:
        """Lead new connections to the app again."""
        self._holding = False
        self.tend()

    def tend(self) -> float:
        """Look after the socket, and restore the path."""
        for step in (self._mend, self._publish):
            try:
                step()
            except OSError:  # the folder or the socket is missing, or no link can be made; this may change
                pass
        return SELDOM if self.is_watched else NOW_AND_THEN

    def withdraw(self) -> None:
        """Remove the path, so that connections fail immediately."""
        self._away = True
        try:
            files.remove(self.record.socket)
        except OSError:
            pass  # as above

    def restore(self) -> None:
        """Put the path back."""
        self._away, self._led_to = False, None
        self.tend()

    def connections(self) -> int:
        """Count the connections."""
        nginx = self.record.nginx_pid_file
        return sum(connections_to_path(file, name, nginx, self._in_queue(file)) for file, name in self._bound_to())

    def files(self) -> list[sock_diag.File] | None:
        """Return the files that connections are bound to, if nginx is in our network namespace."""
        bound = [file for file, _ in self._bound_to()]
        known = [file for file in bound if file]
        return known if known == bound and elsewhere(self.record.nginx_pid_file) is None else None

    def served(self) -> int:
        """Count the accepted connections: all connections less those that wait."""
        return max(0, self.connections() - self.backlog())

    def accepted(self) -> set[int]:
        """Return the accepted connections of the app's own socket."""
        return {inode for file, _ in self._bound_to()[-1:] for inode in sock_diag.accepted(file)}

    def _in_queue(self, file: tuple[int, int] | None) -> int | None:  # noqa: ARG002
        """Count the connections in the queue of this file's socket; None if only a list of all listeners shows it."""
        return None

    def _bound_to(self) -> list[tuple[tuple[int, int] | None, str]]:
        """Return the file and the bound name of each socket that may have connections; the last one is the app's."""
        raise NotImplementedError

    def _mend(self) -> None:
        """Look after the app's own socket. Raises OSError."""
        raise NotImplementedError

    def _publish(self) -> None:
        """Make the path a link of the right name, in one step: there is no moment without it."""
        if self._away:
            return
        if self._led_to is None:
            link(self.record.waiting if self._holding else self.record.keep, self.record.socket)
        elif not _leads_to(self.record.socket, self._led_to):
            files.point(self.record.socket, self._led_to)

    def _make_app_folder(self, number: int) -> str:
        """
        Create a folder for the app, which we own until `_hand_over`.

        An app of our own user may have removed the instance's whole folder. Then that is created again, too.
        """
        folder = f"{self.record.app_folder}.{number}"
        if not os.path.isdir(self.record.folder):
            os.mkdir(self.record.folder, 0o700)
            own = [] if self.record.uid is None else [self.record.uid]
            acl.let_pass(self.record.folder, [*self.record.access, *own])
        os.mkdir(folder, 0o700)  # our umask leaves this mode as it is
        return folder

    def _hand_over(self, folder: str) -> None:
        """Give the folder to the app's user."""
        if self.record.uid is not None:
            os.chown(folder, self.record.uid, -1)


def bind(name: str, access: list[int]) -> socket.socket:
    """Return a listening UNIX socket at this path, which replaces any file; these users may connect."""
    files.remove(name)
    fresh = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh.bind(name)
    allow_users(name, access)
    fresh.listen(BACKLOG)
    return fresh


def link(name: str, path: str) -> None:
    """
    Make the path another hard link of `name`, by rename(2), unless it is one already or there is no `name`.

    rename(2) of a link onto one of the same inode does nothing and would leave the temporary name. So the inodes are
    compared first.
    """
    if same_file(name, path):
        return
    temporary = f"{path}.tmp"
    files.remove(temporary)
    try:
        os.link(name, temporary, follow_symlinks=False)
    except FileNotFoundError:
        return
    os.rename(temporary, path)


def _leads_to(link: str, path: str) -> bool:
    try:
        return os.readlink(link) == path
    except OSError:  # missing, or no symbolic link
        return False


def allow_users(path: str, users: list[int]) -> None:
    """Let only these users and the socket's owner connect."""
    os.chmod(path, 0o600)
    if users:
        acl.allow(path, dict.fromkeys(users, acl.READ | acl.WRITE))


def same_file(name: str, other: str) -> bool:
    """Return whether both names exist and have the same inode."""
    try:
        return os.path.samestat(os.lstat(name), os.lstat(other))
    except FileNotFoundError:
        return False
