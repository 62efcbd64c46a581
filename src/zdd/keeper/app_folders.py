"""
What the app leaves in its own folders, app.1 and so on: they lie in /run, a small disk in memory that all share.

A socket and the few files of a server are all that belongs there. An app that puts in more is ended, and its folders
are emptied: it takes itself down, and not the other projects and services of the machine.
"""

from __future__ import annotations

import os
import time

from zdd.host import files, proc, process, trees
from zdd.keeper.part import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zdd.keeper.part import Shared

_MOST_NAMES, _MOST_BYTES = 64, 1 << 20  # in all folders of an instance
_EVERY, _SELDOM = 1.0, 4.0  # seconds between looks, and between those at folders that the kernel watches for us
_ANEW = 15  # looks after which it is not enough that the disk has not grown: others may have freed what the app took
_COST = 1000  # the search for removed files takes at most this part of the time
_REMOVED = b" (deleted)"  # the end of such a name in /proc
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class AppFolders(Part):
    """Counts what is in the folders while the app runs; `exceeded` is called with what is too much."""

    def __init__(self, shared: Shared, exceeded: Callable[[str], None]) -> None:
        super().__init__(shared)
        self.exceeded = exceeded
        self._used: tuple[int, int] | None = None  # bytes and inodes of the disk when removed files were looked for
        self._next_search = 0.0
        self._has_nested = False
        self._quick = 0  # looks at the disk alone, since the last one into the folders

    def begin(self) -> None:
        """
        Look at intervals from now on, since the app is about to start; first remove its former folders.

        They are long if the folders are watched, so that `look` is called when a file in them is made or written.
        """
        self._has_nested, self._quick = False, 0
        self._remove_former()
        if self.all():
            self._has_grown()
            self.deadlines.about(_EVERY, self._look_again)

    def pause(self) -> None:
        """Stop looking: the app has ended."""
        self.deadlines.cancel(self._look_again)

    def look(self) -> None:
        """Look into the folders now, and again soon, since something in them has changed; if the app runs."""
        if self.deadlines.is_set(self._look_again):
            self.deadlines.about(_EVERY, self._look_again)
            self._look(self._has_grown())

    def empty(self) -> None:
        """Remove what is in the folders."""
        for folder in self.all():
            try:
                for name in os.listdir(folder):
                    trees.remove(f"{folder}/{name}")
            except OSError:  # the app still adds to it: the next look finds it
                pass

    def _remove_former(self) -> None:
        """Remove the folders of sockets that the app has shut down, before it is started again."""
        for folder in sorted(self.all(), key=_number)[:-1]:
            try:
                trees.remove(folder)
            except OSError:
                pass

    def _look_again(self) -> None:
        """Look whether the disk has grown; into the folders only if so, if nobody watches them, and now and then."""
        is_quick = self.listener.is_watched and not self._has_nested and self._quick < _ANEW
        self.deadlines.about(_SELDOM if is_quick else _EVERY, self._look_again)
        has_grown = self._has_grown()
        if has_grown or not is_quick:
            self._look(has_grown)
        else:
            self._quick += 1

    def _look(self, has_grown: bool) -> None:
        self._quick = 0
        if excess := self._excess(has_grown):
            self.exceeded(excess)

    def _excess(self, has_grown: bool) -> str | None:
        size, self._has_nested = 0, False
        for names, (used, is_folder) in enumerate((entry for folder in self.all() for entry in _within(folder)), 1):
            size += used
            self._has_nested |= is_folder  # inotify does not report what happens in it
            if names > _MOST_NAMES or size > _MOST_BYTES:
                return self._words(names > _MOST_NAMES)
        if not has_grown:
            return None
        removed = self._removed_files()
        if len(removed) > _MOST_NAMES or sum(removed.values()) > _MOST_BYTES:
            return self._words(len(removed) > _MOST_NAMES)
        return None

    def _words(self, is_of_names: bool) -> str:
        much = f"{_MOST_NAMES} files" if is_of_names else f"{_MOST_BYTES >> 20} MiB"
        return f"the app has put more than {much} into the folder of its socket, which lies in {self.record.folder}"

    def all(self) -> list[str]:
        """Return the folders: one for each socket that the instance has had; an app with a port, or none, has none."""
        if not self.record.app_folder:
            return []
        prefix = f"{os.path.basename(self.record.app_folder)}."
        try:
            names = os.listdir(self.record.folder)
        except OSError:
            return []
        return [f"{self.record.folder}/{name}" for name in names if name.startswith(prefix)]

    def _has_grown(self) -> bool:
        """Return whether the disk has lost so much room since the last search that the app may be why."""
        try:
            disk = os.statvfs(self.record.folder)
        except OSError:
            return False
        used = ((disk.f_blocks - disk.f_bfree) * disk.f_frsize, disk.f_files - disk.f_ffree)
        before = self._used or used
        if used[0] - before[0] <= _MOST_BYTES and used[1] - before[1] <= _MOST_NAMES:
            self._used = (min(used[0], before[0]), min(used[1], before[1]))
            return False
        if self.deadlines.now() < self._next_search:
            return False
        self._used = used
        return True

    def _removed_files(self) -> dict[tuple[int, int], int]:
        """Return the size of each file of the folders that has no name any more, but is open in the app."""
        begun, found = time.monotonic(), {}
        for pid in process.descendants(os.getpid()):
            for link in _links(pid):
                try:
                    target = os.readlink(link)
                    if target.startswith(f"{self.record.app_folder}.") and target.endswith(_REMOVED.decode()):
                        status = os.stat(link)
                        found[status.st_dev, status.st_ino] = status.st_blocks * 512
                except OSError:  # it was closed meanwhile
                    pass
        self._next_search = self.deadlines.now() + _COST * (time.monotonic() - begun)
        return found


def _links(pid: int) -> Iterator[str]:
    """
    Yield the links to what a process has open, or mapped into its memory if something of that has been removed.

    One file says whether it has: a JVM maps a thousand files, and while a thousand services start each keeper looks.
    """
    maps = [f"/proc/{pid}/map_files"] if _REMOVED in proc.read(f"/proc/{pid}/maps") else []
    for folder in (f"/proc/{pid}/fd", *maps):
        try:
            yield from (f"{folder}/{name}" for name in os.listdir(folder))
        except OSError:  # it has ended, or is another user's
            pass


def _within(folder: str, parent: int | None = None) -> Iterator[tuple[int, bool]]:
    """Yield for each file and folder in a folder its bytes, and whether it is a folder, without following links."""
    try:
        with files.Opened(folder, _FOLDER, folder=parent) as fd, os.scandir(fd) as entries:
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                yield entry.stat(follow_symlinks=False).st_blocks * 512, is_folder
                if is_folder:
                    yield from _within(entry.name, fd)
    except OSError:  # it is gone, or was replaced
        pass


def _number(folder: str) -> int:
    ending = folder.rpartition(".")[2]
    return int(ending) if ending.isascii() and ending.isdecimal() else 0
