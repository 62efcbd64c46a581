"""Files of releases on disk: copied, removed, made durable, never through a link that somebody else could have set."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Collection, Iterator

from zdd.host import files

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def copy(
    source: str, target: str, leave_out: Collection[str] = (), interrupt: Callable[[], None] = lambda: None
) -> None:
    """
    Copy a folder, or a file, to where nothing is: modes, times and symbolic links as they are.

    Left out are folders in `leave_out` (real paths), `.git`, and what cannot be copied: sockets, pipes, devices.
    Set-user-ID bits and file capabilities are dropped, since the copy is ours. `interrupt` is called for each file.
    Raises OSError, with the part that was copied still there.
    """

    def ignored(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if name == ".git" or _is_left_out(f"{folder}/{name}", leave_out)]

    def copy_file(one: str, to: str) -> None:
        interrupt()
        shutil.copyfile(one, to)
        found = os.stat(one)
        os.chmod(to, found.st_mode & 0o777)
        os.utime(to, ns=(found.st_atime_ns, found.st_mtime_ns))

    if os.path.isdir(source):
        shutil.copytree(source, target, symlinks=True, ignore=ignored, copy_function=copy_file)
    else:
        copy_file(source, target)


def remove(path: str) -> None:
    """
    Remove a folder and all in it, a file, or a link and never what it leads to; one that is gone already is fine.

    Folders that are closed to writing (Go's module cache, some packages) are opened first, where they are ours.
    """
    if os.path.islink(path) or not os.path.isdir(path):
        files.remove(path)
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        if os.geteuid() == 0:
            raise  # no mode holds root up: the file system does
        _open_up(path)
        shutil.rmtree(path)


def sync(folder: str) -> None:
    """
    Have all of a release on disk, or raise OSError.

    By one syncfs(2) of its file system: 0.3 s for 30,000 files, where an fsync(2) of each takes 5.5 s; 1 GB that others
    had yet to write added nothing one could measure, and nothing still to write costs 0.3 ms.
    """
    import ctypes  # here, because only a build needs it

    fd = os.open(folder, _FOLDER)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), folder)
    finally:
        os.close(fd)


@contextlib.contextmanager
def inside(root: str, folder: str) -> Iterator[str]:
    """
    Give a path to a folder below `root` that leads there whatever is renamed meanwhile; makes what is missing of it.

    Raises OSError when a part of it is a link, which may lead anywhere, or no folder.
    """
    fd = os.open(root, _FOLDER)
    try:
        for part in filter(None, folder.split("/")):
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o755, dir_fd=fd)
            try:
                below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
            except NotADirectoryError as error:
                raise OSError(error.errno, f"{part} is a link or a file, and no folder", f"{root}/{folder}") from error
            os.close(fd)
            fd = below
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def _is_left_out(path: str, leave_out: Collection[str]) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False  # let the copying say so
    if stat.S_ISDIR(mode):
        return os.path.realpath(path) in leave_out
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode))


def _open_up(folder: str) -> None:
    os.chmod(folder, 0o700)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _open_up(entry.path)
