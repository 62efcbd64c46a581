"""Which configuration a running nginx reads, and whether that includes a given file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from glob import glob
from typing import NamedTuple

from zdd.errors import UsageError
from zdd.host import files, namespaces
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.nginx.conf_file import text_of
from zdd.nginx.config import parse
from zdd.nginx.process.binary import Binary, find, program_of
from zdd.nginx.process.master import Answer, that_reads
from zdd.nginx.process.title import title_of

_FRESH = 0.1  # seconds
_MOST = 10_000  # files of one configuration


class Configuration(NamedTuple):
    """What a running nginx reads: its main file, and `root`, which its paths start with ("" if they are ours)."""

    path: str
    root: str = ""

    def includes(self, file: str) -> bool | None:
        """
        Return whether nginx reads this file of ours, or would if the file existed. None if that is unknown.

        A file that nginx sees by another name, as in a container, is recognized.
        """
        unknown = False
        for text, patterns in self._files():
            unknown = unknown or text is None or any(map(self._is_closed, patterns))
            if any(self._means(pattern, file) for pattern in patterns):
                return True
        return None if unknown else False

    def pid_file(self) -> str | None:
        """Return where the main file says that nginx writes its number; None if it does not say that."""
        named = parse.first(text_of(f"{self.root}{self.path}") or "", "pid", default="")
        return named if os.path.isabs(named) else None

    def _files(self) -> Iterator[tuple[str | None, list[str]]]:
        """Yield the text and the includes of each file, those nearest to the main file first."""
        folder = os.path.dirname(self.path)
        queue, known = [f"{self.root}{self.path}"], set[str]()
        while queue and len(known) < _MOST:
            if (path := queue.pop(0)) in known:
                continue
            known.add(path)
            text = text_of(path)
            entries = parse.every(parse.parse(text or ""), "include")
            patterns = [os.path.join(folder, entry.args[0]) for entry in entries]
            yield text, patterns
            queue += [found for pattern in patterns for found in sorted(glob(f"{self.root}{pattern}"))]

    def _is_closed(self, pattern: str) -> bool:
        """Return whether we cannot list the folder of an include, or pass it."""
        folder = wanted = os.path.dirname(f"{self.root}{pattern}")
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        return not os.access(folder, os.X_OK | (os.R_OK if folder == wanted else 0))

    def _means(self, pattern: str, file: str) -> bool:
        """Return whether an include of this pattern reads the file."""
        real = f"{self.root}{pattern}"
        if any(files.is_same(path, file) for path in glob(real)):
            return True
        folder, name = os.path.split(file)
        if not fnmatch(name, os.path.basename(pattern)):
            return False
        return any(files.is_same(found, folder) for found in glob(os.path.dirname(real)))


class Readers:
    """
    Knows of each running nginx what it reads, and whether that includes `file`; looked up once for each.

    `configured` is the program of this machine, if the user has set it.
    """

    def __init__(self, file: str, configured: str | None, commands: Commands) -> None:
        self.file = file
        self.configured = configured
        self.commands = commands
        self._verdicts: dict[Process, bool | None] = {}
        self._last: tuple[float, Answer] | None = None

    def which(self, pid_file: str | None, now: float) -> Answer:
        """Return the nginx that reads our file. A search through all processes is good for a moment."""
        if pid_file is None and self._last and now - self._last[0] < _FRESH:
            return self._last[1]
        self._last = now, that_reads(self.file, pid_file, self.includes)
        return self._last[1]

    def includes(self, master: Process) -> bool | None:
        """Return whether this nginx reads our file, None if that is unknown."""
        if master not in self._verdicts:
            reading = self.configuration(master)
            self._verdicts[master] = reading.includes(self.file) if reading else None
        return self._verdicts[master]

    def configuration(self, master: Process) -> Configuration | None:
        """Return what it reads: by its -c, or by what its program was compiled with. None if that is unknown."""
        title = title_of(master.pid)
        path, prefix = title.conf_file, title.prefix
        if not (path and os.path.isabs(path)):
            binary = self._program(master)
            path = path or (binary.conf_path if binary else None)
            prefix = prefix or (binary.prefix if binary else None)
        path = os.path.join(prefix or "", path or "")
        return Configuration(path, namespaces.root(master.pid)) if os.path.isabs(path) and path[-1] != "/" else None

    def pid_file(self, master: Process, usual: str) -> str | None:
        """Return the pid file that this nginx has written: the usual one, or what its configuration says."""
        reading = self.configuration(master)
        named = [usual, reading.pid_file() if reading and not reading.root else None]
        return next((path for path in named if path and files.read_number(path) == master.pid), None)

    def _program(self, master: Process) -> Binary | None:
        """Return the program of a master, or else the one that its title names, or else the one of this machine."""
        path = program_of(master) or (None if namespaces.root(master.pid) else title_of(master.pid).program)
        if path and os.access(path, os.X_OK):
            return Binary(path, self.commands)
        try:
            return find(self.configured, None, self.commands)
        except UsageError:
            return None
