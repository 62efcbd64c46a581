"""Files and folders: replaced atomically, made with exact modes, read without surprises."""

from __future__ import annotations

import os
import stat

from zdd.host import foreign
from zdd.host import light_json as json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


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
    Replace the file's content by rename(2): readers, and a crash, see either the old text or the new one.

    With `sync` the text and its name are on disk when this returns; without it they survive a killed process, but not
    a power cut. A failure leaves the old file unchanged and nothing beside it.
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
    """Point the symbolic link to the target by rename(2): at no moment is there no link."""
    _replace(link, lambda temporary: os.symlink(target, temporary))


def _replace(path: str, make: Callable[[str], None]) -> None:
    """Rename to the path what `make` creates beside it under a temporary name, which a failure removes."""
    temporary = f"{path}.{os.urandom(8).hex()}.tmp"  # nobody can guess it: see guarded.py
    try:
        make(temporary)
        os.rename(temporary, path)
    except BaseException:
        remove(temporary)
        raise


def make_folder(path: str, mode: int) -> None:
    """Make the folder and its missing parents, all with this mode, whatever the umask is."""
    if not os.path.isdir(path):
        make_folder(os.path.dirname(path), mode)
        os.mkdir(path, mode)
        os.chmod(path, mode)


def open_folder(path: str, mode: int, never: int = 0) -> None:
    """
    Make the folder with this mode; if it exists and is ours, add the bits of `mode` and remove those of `never`.

    A folder that was made under a strict umask lacks bits of `mode`. Other bits stay.
    """
    if not os.path.isdir(path):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        return
    status = os.stat(path)
    wanted = (status.st_mode | mode) & 0o7777 & ~never
    if status.st_uid == os.geteuid() and wanted != status.st_mode & 0o7777:
        os.chmod(path, wanted)


def read(path: str, errors: str = "strict") -> str | None:
    """Return the file's text, None if the file does not exist. Raises OSError, also for what is no text."""
    try:
        return foreign.text(path, errors)
    except FileNotFoundError:
        return None


def read_object(path: str) -> dict[str, Any]:
    """Return the JSON object in the file; an empty one if the file does not exist or holds anything else."""
    try:
        value = json.loads(read(path) or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def read_number(path: str) -> int | None:
    """
    Return the number in a pid or port file; None if the file is missing, unreadable, empty or holds anything else.

    A FIFO does not block this, and of an endless device or a huge file only the beginning is read.
    """
    try:
        with Opened(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY) as fd:
            text = os.read(fd, 4096) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    except OSError:
        return None
    return foreign.number(text.strip(), foreign.HIGHEST_PID) or None


def remove(path: str) -> None:
    """Remove the file or link if it exists."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def sync_path(path: str) -> None:
    """Write a file's content, or the names in a folder, to disk (fsync(2) of a file does not cover its name)."""
    with Opened(path, os.O_RDONLY) as fd:
        os.fsync(fd)


def tail(path: str, lines: int, since: int = 0, most: int = 1 << 20) -> list[str]:
    """Return the last lines after the byte offset `since`; reads at most this many bytes, from the end."""
    try:
        with open(path, "rb") as file:
            file.seek(max(since, os.fstat(file.fileno()).st_size - most))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []


def is_same(path: str, other: str | os.PathLike[str]) -> bool:
    """Return whether both paths lead to one file that exists."""
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def size(path: str) -> int:
    """Return the file's size in bytes, 0 if the file does not exist."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
