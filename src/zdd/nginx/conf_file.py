"""The file that nginx reads, and whether nginx has been seen to run what is in it."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator

from zdd.host import acl, files
from zdd.nginx.config import mark
from zdd.nginx.config.include import Source

_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_LARGEST = 64 << 20  # bytes


class ConfFile:
    """
    A configuration file of nginx. It may be a link to where the text is kept.

    While it holds a text that nginx has not been seen to run, a mark lies beside it, so that the next command knows
    even if this one is killed. `reader` returns one more user who must read it, such as nginx's own.
    """

    def __init__(self, path: str, reader: Callable[[], int | None] = lambda: None) -> None:
        self.path = path
        self._reader = reader
        self._mark = f"{path}.unverified"

    def text(self) -> str | None:
        """Return the text in place, None if there is none."""
        return files.read(self.path)

    def put(self, text: str | None) -> None:
        """Replace the text, or remove it."""
        if text is None:
            files.remove(self.path)
        else:
            path = os.path.realpath(self.path)
            files.write(path, text, self._mode(text))
            reader = self._reader() if mark.is_in(text) else None
            if reader not in (None, 0, os.geteuid()):
                acl.allow(path, {reader: acl.READ})

    @contextlib.contextmanager
    def staged(self, text: str) -> Iterator[str]:
        """Yield the path of a temporary copy of `text` beside the real file: relative includes resolve there."""
        path = f"{self.path}.{os.getpid()}.test"
        try:
            files.write(path, text, self._mode(text))
            yield path
        finally:
            files.remove(path)

    def doubt(self) -> None:
        """Set the mark."""
        files.write(self._mark, "")

    def try_out(self, text: str) -> None:
        """Set the mark, then replace the text. If that fails, as on a full disk, both stay as they were."""
        trusted = self.is_trusted()
        self.doubt()
        try:
            self.put(text)
        except BaseException:
            if trusted:
                self.trust()
            raise

    def trust(self) -> None:
        """Remove the mark."""
        files.remove(self._mark)

    def is_trusted(self) -> bool:
        """Return whether there is no mark."""
        return not os.path.exists(self._mark)

    def _mode(self, text: str) -> int:
        """
        Return the mode for a text: that of the file in place, at most what its template allows.

        A text with the words of a mark is for nginx and the deployer alone.
        """
        mode = 0o600 if mark.is_in(text) else 0o777
        for path, default in ((self.path, 0o644), (f"{self.path}.template", 0o777)):
            try:
                mode &= os.stat(path).st_mode
            except FileNotFoundError:
                mode &= default
        return mode


def included(pattern: str) -> Iterator[Source]:
    """Yield the files that an `include` means; a name without wildcards is one even where there is no such file."""
    from glob import glob, has_magic  # here, because few texts include others

    for path in sorted(glob(pattern)) if has_magic(pattern) else [pattern]:
        yield Source(path, text_of(path))


def text_of(path: str) -> str | None:
    """Return the text of a plain file, whatever its bytes are, "" for /dev/null; None where it cannot be read."""
    if path == os.devnull:
        return ""
    try:
        with files.Opened(path, _READ) as fd:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                return None
            with open(fd, encoding="utf-8", errors="surrogateescape", newline="", closefd=False) as file:
                return file.read()
    except OSError:
        return None
