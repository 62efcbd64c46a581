"""The pid files of a classic service, and the port file beside them."""

from __future__ import annotations

import os

from zdd.host import files


class PidFiles:
    """
    `gunicorn.pid` is the server's own; `gunicorn.current.pid` and `gunicorn.previous.pid` are zdd's memory of which
    instances those are, also when a server has unlinked its own file; `PID.port` tells where an instance listens.
    """

    def __init__(self, pid_file: str) -> None:
        self.folder, name = os.path.split(pid_file)
        root, suffix = os.path.splitext(name)
        self.own = pid_file
        self.current = f"{self.folder}/{root}.current{suffix}"
        self.previous = f"{self.folder}/{root}.previous{suffix}"

    def texts(self) -> dict[str, str | None]:
        """Return what each file holds, None for one that is not there."""
        return {path: files.read(path) for path in (self.own, self.current, self.previous)}

    def newcomer(self, texts: dict[str, str | None]) -> int | None:
        """Return the process that the server's own file names now and did not name when these texts were read."""
        return files.read_number(self.own) if self.own in texts and texts[self.own] != files.read(self.own) else None

    def restore(self, texts: dict[str, str | None]) -> None:
        """Put the files back as they were."""
        for path, text in texts.items():
            if text is None:
                files.remove(path)
            else:
                files.write(path, text)

    def move_away(self) -> None:
        """Remember the instance in the server's own file as the previous one, and remove that file."""
        old = files.read_number(self.own) or files.read_number(self.current)
        if old:
            files.write(self.previous, str(old))
        files.remove(self.own)

    def port_file(self, pid: int) -> str:
        """Return where the process with this number writes its port."""
        return f"{self.folder}/{pid}.port"

    def candidates(self) -> list[int]:
        """Return the processes that the files name as serving, the server's own word first."""
        numbers = (files.read_number(path) for path in (self.own, self.current))
        return list(dict.fromkeys(number for number in numbers if number))

    def remove(self, pid: int) -> None:
        """Remove what speaks of this process, which has ended."""
        files.remove(self.port_file(pid))
        for path in (self.own, self.current, self.previous):
            if files.read_number(path) == pid:
                files.remove(path)
