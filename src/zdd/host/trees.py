"""Folders with everything in them: removed safely, whatever another user does there meanwhile."""

from __future__ import annotations

import errno
import os
import time

from zdd.host import files

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_DEEPEST = 32  # nested folders that are open while a tree is removed; deeper ones are moved up first
_PATIENCE = 10.0  # seconds of CPU for further passes through a tree that is deeper, or that somebody adds to


def remove(path: str) -> None:
    """
    Remove a folder with everything in it, or a file, or a link but never its target. The path may be missing.

    This is safe and ends whatever another user does in the tree meanwhile, and however deep it is: every name is
    removed relative to an open folder, and no link is followed. Read-only folders are made writable if they are ours.
    Raises OSError if something could not be removed; everything else is gone then.
    """
    try:
        top = _open_folder(path)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        files.remove(path)
        return
    try:
        _Removal(top).run(path)
    finally:
        os.close(top)


class _Removal:
    """Empties one folder, in as many passes as its depth requires."""

    def __init__(self, top: int) -> None:
        self.top = top
        self.moves = 0
        self.failure: OSError | None = None

    def run(self, path: str) -> None:
        """Remove the folder at this path. Raises OSError if something could not be removed."""
        deadline: float | None = None  # set after the first pass, which takes as long as the size of the tree requires
        while True:
            moves, self.failure = self.moves, None
            self._empty(self.top, path, 1)
            try:
                os.rmdir(path)
                return
            except OSError as error:
                deadline = deadline or time.thread_time() + _PATIENCE
                stuck = bool(self.failure) and moves == self.moves
                if error.errno != errno.ENOTEMPTY or stuck or time.thread_time() > deadline:
                    raise self.failure or error from None

    def _empty(self, folder: int, where: str, depth: int) -> None:
        for name in os.listdir(folder):
            try:
                self._remove(name, folder, where, depth)
            except FileNotFoundError:
                pass
            except OSError as error:
                self.failure = self.failure or OSError(error.errno, error.strerror, f"{where}/{name}")

    def _remove(self, name: str, parent: int, where: str, depth: int) -> None:
        try:
            os.unlink(name, dir_fd=parent)
            return
        except IsADirectoryError:
            folder = _open_folder(name, parent)
        try:
            if depth == _DEEPEST:  # the next pass finds it at the top
                self.moves += 1
                os.rename(name, f".{os.getpid()}.{self.moves}", src_dir_fd=parent, dst_dir_fd=self.top)
                return
            self._empty(folder, f"{where}/{name}", depth + 1)
        finally:
            os.close(folder)
        try:
            os.rmdir(name, dir_fd=parent)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:  # then somebody adds to it, or a failure is already recorded
                raise


def _open_folder(name: str, parent: int | None = None) -> int:
    """Open a folder to empty it; as its owner, change a mode that prevents that."""
    try:
        folder = os.open(name, _FOLDER, dir_fd=parent)
    except PermissionError:
        with files.Opened(name, os.O_PATH | _FOLDER, folder=parent) as closed:
            os.chmod(f"/proc/self/fd/{closed}", 0o700)
        folder = os.open(name, _FOLDER, dir_fd=parent)
    if os.fstat(folder).st_mode & 0o700 != 0o700:
        try:
            os.fchmod(folder, 0o700)
        except PermissionError:  # not ours: removing an entry will raise
            pass
    return folder
