"""
The instance's log, which its app may open again by /dev/stdout or /dev/stderr, as many programs do for their own log.

For that the app's user needs the right to write. And many programs open it with O_TRUNC (`> /dev/stderr` in a shell,
`open("/dev/stdout", "w")`): no file accepts that and keeps its content. A pipe does, but the app would depend on its
reader. So the keeper remembers the end of the log, and writes it to the older part once it is missing.
"""

from __future__ import annotations

import os
import time

from zdd.host import acl, files, rotation

_REMEMBERED = 256 << 10  # bytes, from the end
_ENOUGH = 512  # bytes that do not occur at the same place twice by chance
_MODE = 0o640
_SOON, _NOW_AND_THEN, _SELDOM = 0.1, 1.0, 4.0  # seconds between looks: at a flood, at a log that grows, at a quiet one
_QUIET = 10.0  # seconds after which also a log whose size stays is looked at thoroughly
_FLOOD = 0.05  # of log_max between two looks
# Bytes a second that an app may print once it begins, four times what dd wrote into the page cache of two busy cores.
# Before the next look at a quiet log that may fill half of the room that is left on the disk.
_FASTEST = 1e9
_DROPPED = "{:,} bytes of this log were dropped: more than log_max was printed, or the disk is full"


class Log:
    """The file whose descriptor is the app's standard output and error."""

    def __init__(self, path: str, most: int, user: int | None) -> None:
        self.path, self.most = path, most
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
        if user is not None and user != os.geteuid():
            _let_write(self.fd, user)
        self._last, self._end = b"", 0  # the remembered bytes, and where in the file they end
        self._words: str | None = None  # to be written to the log
        self._is_logged = self._is_flooded = False
        self._quiet = 0.0  # seconds since the last thorough look
        self._pause = _NOW_AND_THEN
        self._remember()

    def write(self, line: str) -> None:
        """Add a line of the keeper's own, below what the app has printed, even if that ends without a newline."""
        try:
            size = os.fstat(self.fd).st_size
            begin = b"\n" if size and self._read(size - 1, 1) not in (b"\n", None) else b""
            os.write(self.fd, begin + _line(line))
        except OSError:  # a full disk must not end the instance
            pass

    def look(self) -> None:
        """Save the remembered bytes if the app has emptied the log. Called before each start: then an app opens it."""
        if self._is_emptied():
            words = self._save()
            if not self._is_logged:
                self._words, self._is_logged = words, True
        self._remember()

    def tend(self) -> str | None:
        """Look, and rotate the log if it is large; return a message for the log, once."""
        before = self._end
        if os.fstat(self.fd).st_size == before:
            self._quiet, self._is_flooded = self._quiet + self.pause, False
            self._pause = min(2 * self._pause, max(_NOW_AND_THEN, self._seconds_of_room()), _SELDOM)
            if self._quiet < _QUIET:
                return None
        else:
            self._pause = _NOW_AND_THEN
        self._quiet = 0.0
        self.look()
        self._is_flooded = bool(self.most) and self._end - before > self.most * _FLOOD
        lost = rotation.rotate(self.path, self.most)
        if lost is not None:
            self._remember()
        if lost:
            self.write(_DROPPED.format(lost))
        words, self._words = self._words, None
        return words

    @property
    def pause(self) -> float:
        """
        Return the seconds until `tend` is due again.

        They are few if the app prints so much that the disk may fill, and grow while it prints nothing.
        """
        return _SOON if self._is_flooded else self._pause

    def _seconds_of_room(self) -> float:
        """Return in how many seconds the app could fill half of the disk that is left."""
        disk = os.fstatvfs(self.fd)
        return disk.f_bavail * disk.f_frsize / 2 / _FASTEST

    def _is_emptied(self) -> bool:
        """Return whether the log was emptied: it is shorter, or other bytes stand where it ended."""
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
        """Read from the file, since the descriptor is only for writing; return None if the file is missing."""
        try:
            with files.Opened(self.path, os.O_RDONLY | os.O_NOFOLLOW) as fd:
                return os.pread(fd, size, begin)
        except OSError:
            return None


def rotate_nginx(path: str, most: int) -> None:
    """
    Rotate the log of an nginx that zdd runs, which visitors can fill. All keepers do so, one at a time.

    nginx appends, so it goes on in the same file and needs no signal.
    """
    if lost := rotation.rotate(path, most):
        try:
            rotation.add(path, _line(_DROPPED.format(lost)), 0)
        except OSError:
            pass


def _line(words: str) -> bytes:
    moment = time.strftime("%Y-%m-%d %H:%M:%S%z")
    return f"zdd: {moment} {words}\n".encode(errors="replace")


def _let_write(fd: int, user: int) -> None:
    """Let the app's user open it for writing; without access lists the user becomes its owner."""
    try:
        acl.add(fd, user, acl.WRITE)
    except OSError:
        os.fchown(fd, user, -1)
