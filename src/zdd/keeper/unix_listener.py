"""A socket that the app itself binds, in its own folder."""

from __future__ import annotations

import os
import stat

from zdd.host import files, sock_diag
from zdd.keeper.listener import SOON
from zdd.keeper.path_listener import PathListener, allow_users, same_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable


class UnixListener(PathListener):
    """
    The app's socket is linked into our folder and checked there, so `keep` is always a socket of the app's user.

    The socket ends with the app. So while no app runs, the path leads to the waiting socket.
    """

    ends_with_app = True

    def open(self, on_loss: Callable[[bool], None]) -> None:  # noqa: ARG002
        """Create the app's folder. Raises OSError."""
        self._hand_over(self._make_app_folder(1))

    def prepare(self) -> None:
        """Remove the former socket: granian, daphne and node refuse to start on it. Raises OSError."""
        self.give_back()
        for path in (self.record.app_socket, self.record.keep):
            files.remove(path)

    def queues(self) -> list[socket.socket]:
        """Return the app's own socket if it is borrowed."""
        return self.borrowed

    def close(self) -> None:
        """Give back what is borrowed; the kernel resets connections that are still queued."""
        self.give_back()

    def tend(self) -> float:
        """Look again soon until the app has bound its socket."""
        due = super().tend()
        return due if same_file(self.record.app_socket, self.record.keep) else SOON

    def listening(self) -> set[int]:
        """Return the inodes of the listening sockets that are bound to the file."""
        return sock_diag.listening_at(sock_diag.file_of(self.record.keep))

    def backlog(self) -> int:
        """Count the connections in the queue of the app's socket, as far as this network namespace shows it."""
        return sock_diag.queued(sock_diag.file_of(self.record.keep)) or 0

    def _bound_to(self) -> list[tuple[tuple[int, int] | None, str]]:
        return [(sock_diag.file_of(self.record.keep), self.record.app_socket)]

    def _mend(self) -> None:
        """Link the app's socket if it is a new one, and set who may connect."""
        keep = self.record.keep
        if not same_file(self.record.app_socket, keep):
            fresh = f"{keep}.tmp"
            files.remove(fresh)
            os.link(self.record.app_socket, fresh, follow_symlinks=False)
            status = os.lstat(fresh)
            if not stat.S_ISSOCK(status.st_mode) or self.record.uid not in (None, status.st_uid):
                files.remove(fresh)  # not a socket of the app's user: nobody may be admitted to it
                return
            allow_users(fresh, self.record.access)
            os.rename(fresh, keep)
        elif os.lstat(keep).st_mode & 0o777 != self._mode:
            allow_users(keep, self.record.access)  # uvicorn opens it to all users after its bind

    @property
    def _mode(self) -> int:
        """Return the mode that `allow_users` leaves: the bits of the group are the mask of the access list."""
        return 0o660 if self.record.access else 0o600
