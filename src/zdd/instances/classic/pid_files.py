"""The pid files of a classic service, and the port file beside them."""

from __future__ import annotations

import contextlib
import os

from zdd.host import guarded
from zdd.host.foreign import NotText
from zdd.host.guarded import Found, Untrusted


class PidFiles:
    """
    The server writes `gunicorn.pid`. zdd remembers the current and the previous instance in `gunicorn.current.pid` and
    `gunicorn.previous.pid`, since a server may unlink its own file. `PID.port` has the port of an instance.

    Where root deploys and another user can write their folder, `guarded` reads them. Only `look` says what is wrong
    with such a file; all other methods treat it as missing.
    """

    def __init__(self, pid_file: str) -> None:
        self.folder, name = os.path.split(pid_file)
        root, suffix = os.path.splitext(name)
        self.own = pid_file
        self.current = f"{self.folder}/{root}.current{suffix}"
        self.previous = f"{self.folder}/{root}.previous{suffix}"

    def look(self, path: str) -> Found | None:
        """Return what a file holds, None if it cannot be read. Raises Untrusted if root must not read it."""
        try:
            return guarded.look(path)
        except (OSError, ValueError):  # unreadable, or no text
            return None

    def shared(self) -> bool:
        """Return whether root deploys and another user decides what the files hold."""
        return guarded.is_shared(self.own)

    def texts(self) -> dict[str, str | None]:
        """Return what each file holds, None for one that is not there or is no text."""
        return {path: self._text(path) for path in (self.own, self.current, self.previous)}

    def restore(self, texts: dict[str, str | None]) -> None:
        """
        Restore the files, and remove the port file of the process that the server has named in its own file since.

        What another user does to them does not stop the undo of a deploy.
        """
        newcomer = self.number(self.own)
        if newcomer and self.own in texts and texts[self.own] != self._text(self.own):
            _remove(self.port_file(newcomer))
        for path, text in texts.items():
            with contextlib.suppress(Untrusted):
                if text is None:
                    guarded.remove(path)
                else:
                    guarded.write(path, text)

    def move_away(self) -> None:
        """Remember what the server's own file names as the previous instance, and remove it. Raises Untrusted."""
        old = self.number(self.own) or self.number(self.current)
        if old:
            guarded.write(self.previous, str(old))
        guarded.remove(self.own)

    def remember(self, pid: int) -> None:
        """Record the current instance. Raises Untrusted."""
        guarded.write(self.current, str(pid))

    def port_file(self, pid: int) -> str:
        """Return where the process with this number writes its port."""
        return f"{self.folder}/{pid}.port"

    def number(self, path: str) -> int | None:
        """Return the number in a file, None if the file is missing or holds anything else."""
        try:
            file = self.look(path)
        except Untrusted:
            return None
        return file.number if file else None

    def remove(self, pid: int) -> None:
        """Remove the files that name this process, which has ended."""
        _remove(self.port_file(pid))
        for path in (self.own, self.current, self.previous):
            if self.number(path) == pid:
                _remove(path)

    def _text(self, path: str) -> str | None:
        try:
            file = guarded.look(path)
        except (Untrusted, NotText):
            return None
        return file.text if file and (file.number or not file.shared) else None


def _remove(path: str) -> None:
    """Remove a file; what another user does to it does not stop the clean-up."""
    with contextlib.suppress(Untrusted):
        guarded.remove(path)
