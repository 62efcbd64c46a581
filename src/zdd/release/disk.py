"""Files of releases on disk: copied, removed, made durable, never through a link that somebody else could have set."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator

from zdd.host.files import Opened

_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_READ = os.O_RDONLY | os.O_NONBLOCK  # a pipe that takes a file's place must not stop us
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_DEEPEST = 256  # nested folders of a release; two descriptors are open for each
_CHUNK = 1 << 24  # bytes between looks at whether to go on


def copy(
    source: str, target: str, leave_out: Collection[str] = (), interrupt: Callable[[], None] = lambda: None
) -> None:
    """
    Copy a folder or a file, no link to one, to where nothing is: modes, times and symbolic links as they are.

    Left out are the folders in `leave_out`, `.git`, and what cannot be copied: sockets, pipes, devices.
    Set-user-ID bits and file capabilities are dropped, since the copy is ours. `interrupt` is called for each file.
    Nobody else can read a file of the copy before it is complete. Names in the source that change meanwhile, and names
    beside the target, lead nowhere else: everything below is opened by its folder, and no link is followed.
    Raises OSError, with the part that was copied still there.
    """
    copying = _Copying(source, leave_out, interrupt)
    try:
        with (
            Opened(os.path.dirname(target) or ".", _FOLDER) as into,
            Opened(source, _READ | os.O_NOFOLLOW) as entry,
        ):
            copying.copy(entry, os.path.basename(target), into)
    except OSError as error:
        raise OSError(error.errno, error.strerror, copying.where) from error


def sync(folder: str) -> None:
    """
    Have all of a release on disk, or raise OSError.

    By one syncfs(2) of its file system: 0.3 s for 30,000 files, where an fsync(2) of each takes 5.5 s; 1 GB that others
    had yet to write added nothing one could measure, and nothing still to write costs 0.3 ms.
    """
    import ctypes  # here, because only a build needs it

    with Opened(folder, _FOLDER) as fd:
        if ctypes.CDLL(None, use_errno=True).syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), folder)


@contextlib.contextmanager
def inside(root: str, folder: str, make: bool = True) -> Iterator[str]:
    """
    Give a path to a folder below `root` that leads there whatever is renamed meanwhile; `make` what is missing of it.

    Raises OSError when a part of it is a link, which may lead anywhere, or no folder.
    """
    fd = os.open(root, _FOLDER)
    try:
        for part in filter(None, folder.split("/")):
            if make:
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


class _Copying:
    """Copies what is open into open folders; `where` is the path that it is at."""

    def __init__(self, source: str, leave_out: Collection[str], interrupt: Callable[[], None]) -> None:
        self.where = source
        self.left_out = {_identity(os.stat(path)) for path in leave_out if os.path.exists(path)}
        self.interrupt = interrupt
        self.depth = 0

    def copy(self, entry: int, name: str, into: int) -> None:
        """Copy an open file or folder under this name into the folder; nothing if it is to be left out."""
        status = os.fstat(entry)
        if stat.S_ISDIR(status.st_mode):
            if _identity(status) not in self.left_out:
                self._folder(entry, status, name, into)
        elif stat.S_ISREG(status.st_mode):
            self._file(entry, status, name, into)

    def _folder(self, folder: int, status: os.stat_result, name: str, into: int) -> None:
        if self.depth == _DEEPEST:
            raise OSError(errno.ENAMETOOLONG, f"more than {_DEEPEST} nested folders")
        os.mkdir(name, 0o700, dir_fd=into)
        with Opened(name, _FOLDER | os.O_NOFOLLOW, folder=into) as made:
            above, self.depth = self.where, self.depth + 1
            for entry in os.listdir(folder):
                if entry != ".git":
                    self.where = f"{above}/{entry}"
                    self._entry(folder, entry, made)
            self.where, self.depth = above, self.depth - 1
            os.fchmod(made, stat.S_IMODE(status.st_mode))
            os.utime(made, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _entry(self, folder: int, name: str, into: int) -> None:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=folder), name, dir_fd=into)
            os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=into, follow_symlinks=False)
        elif stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):  # opening others could have an effect
            with Opened(name, _READ | os.O_NOFOLLOW, folder=folder) as entry:
                self.copy(entry, name, into)

    def _file(self, source: int, status: os.stat_result, name: str, into: int) -> None:
        self.interrupt()
        with Opened(name, _MAKE, folder=into) as made:
            remaining = status.st_size  # and no more: somebody may be writing to it without end
            while remaining > 0 and (sent := os.sendfile(made, source, None, min(remaining, _CHUNK))):
                remaining -= sent
                self.interrupt()
            os.fchmod(made, status.st_mode & 0o777)
            os.utime(made, ns=(status.st_atime_ns, status.st_mtime_ns))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
