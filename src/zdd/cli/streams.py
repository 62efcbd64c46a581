"""
Our standard streams, made safe: a stream that is closed, gone or cannot encode a character fails no command.

A closed stream becomes /dev/null, so that no file that zdd opens gets its number and a program's output. Characters
that a stream cannot encode are written as escapes. Output for a reader who has gone (a closed pipe, a terminal that
hung up) is dropped: the command goes on, and its exit code says how it ended.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, TextIO

_STDOUT, _STDERR = 1, 2
_GONE = {errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO}  # no reader, a terminal that hung up, not open for writing


class _Output(io.FileIO):
    """
    The descriptor of a standard stream. `reader_gone` is whether its reader has gone.

    Errors of stderr are ignored, since nobody could read a message about them.
    """

    reader_gone = False

    def write(self, data: Any) -> int:
        """Write all or some of the bytes; raise OSError if stdout cannot be written, for example to a full disk."""
        try:
            while (written := None if self.reader_gone else super().write(data)) is None and not self.reader_gone:
                import select  # here, because only then it is needed: another program has made the stream non-blocking

                poll = select.poll()
                poll.register(self.fileno(), select.POLLOUT)
                poll.poll()
        except OSError as error:
            if error.errno not in _GONE and self.fileno() != _STDERR:
                raise
            self.reader_gone, written = True, None
        return len(data) if written is None else written


def use_utf8() -> None:
    """
    Restart this process with UTF-8 for paths and arguments, if the locale (such as Latin-1) has another encoding.

    Configuration files are UTF-8, and so are the paths in them; Python would encode those like the terminal.
    """
    if sys.getfilesystemencoding() != "utf-8" and sys.executable:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def make_safe() -> None:
    """Replace this process's standard streams by safe ones; called before any file is opened."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # open(2) returns the lowest free number
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115  (as long as the process lives)
    sys.stdout, sys.stderr = _safe(sys.stdout, _STDOUT), _safe(sys.stderr, _STDERR)


def reader_gone() -> bool:
    """Return whether nobody reads stdout any more, so that a command that only prints can end."""
    return getattr(getattr(getattr(sys.stdout, "buffer", None), "raw", None), "reader_gone", False)


def failed_output(error: BaseException) -> bool:
    """Return whether the error is that stdout cannot be written: what could not be written is still waiting then."""
    try:
        sys.stdout.flush()
    except OSError as another:
        return isinstance(error, OSError) and another.errno == error.errno
    return False


def _safe(stream: TextIO | None, number: int) -> TextIO:
    """Return a stream for the descriptor, with the former stream's encoding."""
    encoding, by_line = None, False
    if isinstance(stream, io.TextIOWrapper):
        encoding, by_line = stream.encoding, stream.line_buffering
    if "utf8" in sys._xoptions and "PYTHONIOENCODING" not in os.environ:  # see `use_utf8`
        import locale  # here, because only then it is needed

        encoding = locale.getencoding()  # the terminal's
    buffer: io.BufferedWriter[Any] = io.BufferedWriter(_Output(number, "w", closefd=False))
    return io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=by_line)
