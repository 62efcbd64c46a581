"""An app that has closed the socket it was given, or shut it down: it will never answer, and may not end."""

from __future__ import annotations

from zdd.host import process, sock_diag
from zdd.host.process import Process
from zdd.instances import node

_EVERY = 1.0  # seconds between looks: each may read all of /proc
_SURE = 2  # looks in a row: a process may hand the socket on just while we look


class LostSocket:
    """Looks every second whether a process of the app still has the keeper's socket; `folder` is the instance's."""

    def __init__(self, folder: str, begun: float) -> None:
        self.folder = folder
        self._looked = begun
        self._missed = 0

    def look(self, keeper: Process | None, app: Process | None, now: float) -> bool:
        """Return whether surely none has it: nobody else could give it back."""
        if now - self._looked < _EVERY or keeper is None or app is None:
            return False
        self._looked = now
        self._missed = 0 if self._is_held(keeper, app) else self._missed + 1
        return self._missed >= _SURE

    def _is_held(self, keeper: Process, app: Process) -> bool:
        inodes = sock_diag.listening_at(sock_diag.file_of(f"{self.folder}/keep"))
        if not inodes or node.has_hook(self.folder):  # the hook decides when the app listens
            return True
        return _has(app.pid, inodes) or any(_has(pid, inodes) for pid in process.descendants(keeper.pid))


def _has(pid: int, inodes: set[int]) -> bool:
    """Return whether the process has one of these sockets, or hides what it has."""
    return process.hides_descriptors(pid) or any(inode in inodes for inode, _ in sock_diag.socket_descriptors(pid))
