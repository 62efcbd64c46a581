"""
A UNIX socket as nginx finds it: by a path in the instance's own folder, where the app cannot write.

    keep        the socket that the app serves: health requests, counts and sibling instances use this name
    waiting     a socket that nobody accepts, while requests are held
    socket      what the slots of a table lead to: a hard link of one of these, or nothing
    app.1/      the app's folder: what it binds, unlinks or plants there leads nowhere else

No name that an app can reach is the only one of a socket. Everything here works on names in our own folder: a link that
an app has planted is never followed.
"""

from __future__ import annotations

import os
import socket

from zdd.host import acl, files
from zdd.keeper.listener import BACKLOG, NOW_AND_THEN, Listener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zdd.keeper.loop import Loop
    from zdd.keeper.record import Record


class PathListener(Listener):
    """What the sockets that the keeper holds and those that the app binds itself have in common."""

    def __init__(self, record: Record, loop: Loop) -> None:
        super().__init__(record, loop)
        self.address = record.keep
        self._away = self._holding = False
        self._waiting: socket.socket | None = None

    def hold(self) -> socket.socket:
        """Lead new connections to the waiting socket."""
        if self._waiting is None:
            self._waiting = bind(self.record.waiting, self.record.access)
        self._holding = True
        self._publish()
        return self._waiting

    def admit(self) -> None:
        """Lead new connections to the app again."""
        self._holding = False
        self.tend()

    def tend(self) -> float:
        """Keep the path leading where it should."""
        try:
            self._publish()
        except OSError:  # the folder is gone, or no link can be made: it may change again
            pass
        return NOW_AND_THEN

    def withdraw(self) -> None:
        """Remove the path, so that connections fail immediately."""
        self._away = True
        try:
            files.remove(self.record.socket)
        except OSError:
            pass  # as above

    def restore(self) -> None:
        """Put the path back."""
        self._away = False
        self.tend()

    def _publish(self) -> None:
        """Make the path a link of the name that it should lead to; there is no moment without it."""
        name = self.record.waiting if self._holding else self.record.keep
        if not self._away:
            link(name, self.record.socket)

    def _make_app_folder(self, number: int) -> str:
        """
        Make a folder for the app, still ours: what must be done there before the app comes is done first.

        An app that runs as we do may have removed the instance's whole folder. Then that is made again, too.
        """
        folder = f"{self.record.app_folder}.{number}"
        if not os.path.isdir(self.record.folder):
            os.mkdir(self.record.folder, 0o700)
            own = [] if self.record.uid is None else [self.record.uid]
            acl.let_pass(self.record.folder, [*self.record.access, *own])
        os.mkdir(folder, 0o700)  # our umask takes nothing of that
        return folder

    def _hand_over(self, folder: str) -> None:
        """Give the folder to the app's user."""
        if self.record.uid is not None:
            os.chown(folder, self.record.uid, -1)


def bind(name: str, access: list[int]) -> socket.socket:
    """Return a listening UNIX socket at this path, in place of what was there; these users may connect."""
    files.remove(name)
    fresh = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh.bind(name)
    allow_users(name, access)
    fresh.listen(BACKLOG)
    return fresh


def link(name: str, path: str) -> None:
    """
    Make the path another hard link of `name`, by rename(2). Does nothing where it is one, or where there is no `name`.

    rename(2) of one link onto another of the same inode does nothing and would leave the temporary name: so the inodes
    are compared first.
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


def allow_users(path: str, users: list[int]) -> None:
    """Let these users connect, besides the socket's owner, and nobody else."""
    os.chmod(path, 0o600)
    if users:
        acl.allow(path, dict.fromkeys(users, acl.READ | acl.WRITE))


def same_file(one: str, other: str) -> bool:
    """Tell whether both names are there and of the same inode."""
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except FileNotFoundError:
        return False
