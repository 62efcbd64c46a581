"""Files that are replaced whole or not at all."""

from __future__ import annotations

import os
import stat


def write(path: str, text: str, mode: int = 0o644, sync: bool = False) -> None:
    """
    Replace the file's content by rename(2), so that a reader, or a crash, meets the old text or the new one.

    With `sync` the text and its name are on disk before this returns; without, they survive a killed process but not
    a power cut. A failure leaves the old file as it was and nothing beside it.
    """
    temporary = _beside(path)
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        with open(fd, "w", encoding="utf-8") as file:
            os.fchmod(fd, mode)  # whatever the umask says
            file.write(text)
            file.flush()
            if sync:
                os.fsync(fd)
        os.rename(temporary, path)
    except BaseException:
        remove(temporary)
        raise
    if sync:
        sync_folder(os.path.dirname(path) or ".")


def point(link: str, target: str) -> None:
    """Make the symbolic link lead to the target, by rename(2): there is no moment at which it leads nowhere."""
    temporary = _beside(link)
    try:
        os.symlink(target, temporary)
        os.rename(temporary, link)
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
    found = os.stat(path)
    wanted = (found.st_mode | mode) & 0o7777 & ~never
    if found.st_uid == os.geteuid() and wanted != found.st_mode & 0o7777:
        os.chmod(path, wanted)


def read(path: str) -> str | None:
    """Return the file's text, None when there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


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


def sync_folder(path: str) -> None:
    """Have the names in a folder on disk (fsync(2) of a file does not cover its name)."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


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
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        return os.read(fd, 4096) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    finally:
        os.close(fd)


def _beside(path: str) -> str:
    return f"{path}.{os.getpid()}.tmp"
