"""Files that are replaced whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_DEEPEST = 32  # folders open at a time while a tree is removed; what lies deeper is moved up first
_PATIENCE = 10.0  # seconds of further passes through a tree that somebody adds to, or that is deeper than that


class Opened:
    """The descriptor of open(2) for a `with`, by hand: contextlib would cost each keeper a third of a megabyte."""

    def __init__(self, path: str, flags: int, mode: int = 0o600, folder: int | None = None) -> None:
        self._fd = os.open(path, flags, mode, dir_fd=folder)

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def write(path: str, text: str, mode: int = 0o644, sync: bool = False) -> None:
    """
    Replace the file's content by rename(2), so that a reader, or a crash, meets the old text or the new one.

    With `sync` the text and its name are on disk before this returns; without, they survive a killed process but not
    a power cut. A failure leaves the old file as it was and nothing beside it.
    """

    def make(temporary: str) -> None:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with open(fd, "w", encoding="utf-8") as file:
            os.fchmod(fd, mode)  # whatever the umask says
            file.write(text)
            file.flush()
            if sync:
                os.fsync(fd)

    _replace(path, make)
    if sync:
        sync_path(os.path.dirname(path) or ".")


def point(link: str, target: str) -> None:
    """Make the symbolic link lead to the target, by rename(2): there is no moment at which it leads nowhere."""
    _replace(link, lambda temporary: os.symlink(target, temporary))


def _replace(path: str, make: Callable[[str], None]) -> None:
    """Rename what `make` puts at a temporary name beside the path to the path. A failure leaves nothing beside it."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        make(temporary)
        os.rename(temporary, path)
    except BaseException:
        remove(temporary)
        raise


def make_folder(path: str, mode: int) -> None:
    """Make the folder and those above it that are missing, all of this mode, whatever the umask says."""
    if not os.path.isdir(path):
        make_folder(os.path.dirname(path), mode)
        os.mkdir(path, mode)
        os.chmod(path, mode)


def open_folder(path: str, mode: int, never: int = 0) -> None:
    """
    Make the folder, or give one of ours the bits of `mode` that a umask once kept from it, and take those of `never`.

    Bits that somebody has added stay.
    """
    if not os.path.isdir(path):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        return
    status = os.stat(path)
    wanted = (status.st_mode | mode) & 0o7777 & ~never
    if status.st_uid == os.geteuid() and wanted != status.st_mode & 0o7777:
        os.chmod(path, wanted)


def read(path: str) -> str | None:
    """Return the file's text, None when there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def read_object(path: str) -> dict[str, Any]:
    """Return the JSON object in the file; empty when there is no file, or something else in it."""
    try:
        value = json.loads(read(path) or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def read_number(path: str) -> int | None:
    """
    Return the whole number in a pid or port file; None when it is missing, unreadable, empty or something else.

    Something else may be a FIFO, a device without end or a file of any size: none of them is waited for or read whole.
    """
    try:
        number = int(_beginning(path))
    except (ValueError, OSError):
        return None
    return number if number > 0 else None


def remove(path: str) -> None:
    """Remove the file or link; one that is gone already is fine."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def remove_tree(path: str) -> None:
    """
    Remove a folder and everything in it, or a file, or a link but never its target. A missing path is fine.

    Safe and finite whatever another user does inside meanwhile, and however deep the folders are nested: every name is
    removed relative to an open folder, and no link is followed. Folders closed to writing are opened if they are ours.
    Raises OSError if something is left; everything else is gone then.
    """
    try:
        top = _open_folder(path)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        remove(path)
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
        """Remove the folder, which is at this path. Raises OSError if something is left."""
        deadline: float | None = None  # set after the first pass, which may take as long as the tree is large
        while True:
            moves, self.failure = self.moves, None
            self._empty(self.top, path, 1)
            try:
                os.rmdir(path)
            except OSError as error:
                deadline = deadline or time.monotonic() + _PATIENCE
                stuck = bool(self.failure) and moves == self.moves
                if error.errno != errno.ENOTEMPTY or stuck or time.monotonic() > deadline:
                    raise self.failure or error from None
            else:
                return

    def _empty(self, folder: int, where: str, depth: int) -> None:
        for name in os.listdir(folder):
            try:
                self._remove(name, folder, where, depth)
            except FileNotFoundError:
                pass
            except OSError as error:
                if not self.failure:
                    self.failure = OSError(error.errno, error.strerror, f"{where}/{name}")

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
            if error.errno != errno.ENOTEMPTY:  # then somebody adds to it, or a failure is known already
                raise


def _open_folder(name: str, parent: int | None = None) -> int:
    """Open a folder to remove what is in it; its mode does not stop its owner."""
    try:
        folder = os.open(name, _FOLDER, dir_fd=parent)
    except PermissionError:
        with Opened(name, os.O_PATH | _FOLDER, folder=parent) as closed:
            os.chmod(f"/proc/self/fd/{closed}", 0o700)
        folder = os.open(name, _FOLDER, dir_fd=parent)
    if os.fstat(folder).st_mode & 0o700 != 0o700:
        try:
            os.fchmod(folder, 0o700)
        except PermissionError:  # not ours: removing will tell
            pass
    return folder


def sync_path(path: str) -> None:
    """Write a file's content, or the names in a folder, to disk (fsync(2) of a file does not cover its name)."""
    with Opened(path, os.O_RDONLY) as fd:
        os.fsync(fd)


def tail(path: str, lines: int, since: int = 0) -> list[str]:
    """Return the last lines written after the byte offset `since`, without reading more than the last 64 KiB."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(since, size - 65536))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


def size(path: str) -> int:
    """Return the file's size in bytes, 0 when there is none."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _beginning(path: str) -> bytes:
    """Return what a regular file begins with. Raises OSError."""
    with Opened(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) as fd:
        return os.read(fd, 4096) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
