"""The pid files of a classic service, and the port file beside them."""

from __future__ import annotations

import contextlib
import os

from zdd.host import guarded
from zdd.host.guarded import Found, Untrusted


class PidFiles:
    """
    `gunicorn.pid` is the server's own; `gunicorn.current.pid` and `gunicorn.previous.pid` are zdd's memory of which
    instances those are, also when a server has unlinked its own file; `PID.port` tells where an instance listens.

    Where root deploys and another user can write their folder they are read as `guarded` says: only `look` tells what
    is wrong with one of them, for all else it is not there.
    """

    def __init__(self, pid_file: str) -> None:
        self.folder, name = os.path.split(pid_file)
        root, suffix = os.path.splitext(name)
        self.own = pid_file
        self.current = f"{self.folder}/{root}.current{suffix}"
        self.previous = f"{self.folder}/{root}.previous{suffix}"

    def look(self, path: str) -> Found | None:
        """Return what one of the files holds if that can be a number. Raises Untrusted for what root may not read."""
        try:
            return guarded.look(path)
        except (OSError, ValueError):  # unreadable, or no text
            return None

    def shared(self) -> bool:
        """Tell whether another user than root decides what stands in them, where root deploys."""
        return guarded.is_shared(self.own)

    def texts(self) -> dict[str, str | None]:
        """Return what each file holds, None for one that is not there."""
        return {path: self._text(path) for path in (self.own, self.current, self.previous)}

    def newcomer(self, texts: dict[str, str | None]) -> int | None:
        """Return the process that the server's own file names now and did not name when these texts were read."""
        return self.number(self.own) if self.own in texts and texts[self.own] != self._text(self.own) else None

    def restore(self, texts: dict[str, str | None]) -> None:
        """Put the files back as they were; another user's doing does not keep a deploy from being undone."""
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
        """Write down which instance is the current one. Raises Untrusted."""
        guarded.write(self.current, str(pid))

    def port_file(self, pid: int) -> str:
        """Return where the process with this number writes its port."""
        return f"{self.folder}/{pid}.port"

    def number(self, path: str) -> int | None:
        """Return the number in one of the files, None where it is missing or anything else."""
        try:
            found = self.look(path)
        except Untrusted:
            return None
        return found.number if found else None

    def remove(self, pid: int) -> None:
        """Remove what speaks of this process, which has ended."""
        self.remove_port(pid)
        for path in (self.own, self.current, self.previous):
            if self.number(path) == pid:
                _remove(path)

    def remove_port(self, pid: int) -> None:
        """Remove the port file of a process."""
        _remove(self.port_file(pid))

    def _text(self, path: str) -> str | None:
        try:
            found = guarded.look(path)
        except Untrusted:
            return None
        return found.text if found and (found.number or not found.shared) else None


def _remove(path: str) -> None:
    """Remove a file; another user's doing does not keep anything from being cleaned up."""
    with contextlib.suppress(Untrusted):
        guarded.remove(path)
