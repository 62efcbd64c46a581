"""
The instance's log, which its app may open again by /dev/stdout or /dev/stderr, as many programs do for their own log.

Opening it again needs the app's user to have the right to write. And many open it with O_TRUNC (`> /dev/stderr` in a
shell, `open("/dev/stdout", "w")`): no file both accepts that and keeps its content. A pipe does, but then the app needs
whoever reads it. So the end of the log is remembered, and written to the older part once it is missing.
"""

from __future__ import annotations

import os
import time

from zdd.host import acl, rotation

_REMEMBERED = 256 << 10  # bytes, from the end
_ENOUGH = 512  # bytes that would not come again at the same place by chance
_MODE = 0o640


class Log:
    """Its descriptor is what the app gets as standard output and error."""

    def __init__(self, path: str, most: int, user: int | None) -> None:
        self.path, self.most = path, most
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
        if user is not None and user != os.geteuid():
            _let_write(self.fd, user)
        self._last, self._end = b"", 0  # what is remembered, and where in the file it ends
        self._words: str | None = None  # to be written to the log
        self._is_logged = False
        self._remember()

    def write(self, line: str) -> None:
        """Add a line of the keeper's own."""
        try:
            moment = time.strftime("%Y-%m-%d %H:%M:%S%z")
            os.write(self.fd, f"zdd: {moment} {line}\n".encode(errors="replace"))
        except OSError:  # a full disk: nothing that the instance should end for
            pass

    def look(self) -> None:
        """Save what the app has emptied. Before each start of the app, since that is when it opens its log."""
        if self._is_emptied():
            words = self._save()
            if not self._is_logged:
                self._words, self._is_logged = words, True
        self._remember()

    def tend(self) -> str | None:
        """Do the same now and then, and rotate the log when it is large; return what to write about it, once."""
        self.look()
        if rotation.rotate(self.path, self.most):
            self._remember()
        words, self._words = self._words, None
        return words

    def _is_emptied(self) -> bool:
        """Tell whether what was there is there no more: the log is shorter, or other bytes end where it ended."""
        known = self._last[-_ENOUGH:]
        return self._read(self._end - len(known), len(known)) not in (known, None)

    def _save(self) -> str:
        older = rotation.older(self.path)
        try:
            rotation.add(older, self._last, self.most)
        except OSError as error:
            return f"the app has emptied this log, and what was in it is lost: {error.strerror}"
        return (
            "the app has emptied this log, by opening /dev/stdout or /dev/stderr; "
            f'the end of what was in it is in {older}: have it append (in a shell ">>", elsewhere the mode "a")'
        )

    def _remember(self) -> None:
        size = os.fstat(self.fd).st_size
        begin = max(0, size - _REMEMBERED)
        self._last, self._end = self._read(begin, size - begin) or b"", size

    def _read(self, begin: int, size: int) -> bytes | None:
        """Read from the file, for which the app's descriptor is not made; None when it is not there."""
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return None
        try:
            return os.pread(fd, size, begin)
        finally:
            os.close(fd)


def _let_write(fd: int, user: int) -> None:
    """Let the app's user write to it, and so open it; where there are no access lists it becomes the user's own."""
    try:
        acl.add(fd, user, acl.WRITE)
    except OSError:
        os.fchown(fd, user, -1)
