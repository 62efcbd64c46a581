"""
The files of the access log, held open over rotations.

Each line is read once: what was there at the beginning is old, all later lines are new. An open file is known by its
inode, whatever its name, so a log that was renamed is read to its end. Where logs were renamed twice between two looks,
the second one is at PATH.1, and is read from its beginning. Of those between them nobody knows.

Where the log is rotated by copying, PATH.1 is no other file's end but a copy of lines that were read: only what comes
after the last of them is new.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from zdd.host import rotation
from zdd.host.clock import Clock
from zdd.operate.access_files import open_plain

_BLOCK, _MOST = 1 << 16, 1 << 25  # bytes that are read at once, and at most for the last lines or in one look
_LONGEST = 1 << 20  # bytes of a line
_LATE = 5.0  # seconds for which nginx may still write into a log that has left its names: as in log_rotation.py
_BEGINNING = 1 << 10  # bytes that differ between any two files: each line has a time and an id


class Part:
    """
    An open file of the log. Whole lines up to its offset were read; a line without an end waits for it.

    Of a `copy` nothing is new until it is known which of its lines were read.
    """

    def __init__(self, fd: int, copy: bool = False) -> None:
        self.fd, self.copy = fd, copy
        self.left: float | None = None  # when it has left the log's names
        self._offset, self._last = 0, b""

    def is_same(self, fd: int) -> bool:
        """Return whether an open file is this one."""
        return os.path.samestat(os.fstat(self.fd), os.fstat(fd))

    def pass_over(self) -> None:
        """Count the whole lines that are there as read."""
        size = os.fstat(self.fd).st_size
        begin = max(0, size - _LONGEST)
        data = os.pread(self.fd, size - begin, begin)
        whole = data[: data.rfind(b"\n") + 1]
        self._offset, self._last = begin + len(whole), _last_line(whole)

    def was_emptied(self) -> bool:
        """Return whether what was read last is no longer where it was."""
        return os.pread(self.fd, len(self._last), self._offset - len(self._last)) != self._last

    def was_emptied_into(self, copy: Part) -> bool:
        """Return whether nothing of this file was read, and what it began with is only in the copy now."""
        beginning = os.pread(copy.fd, _BEGINNING, 0)
        return not self._offset and os.pread(self.fd, len(beginning), 0) != beginning

    def begin_again(self) -> None:
        """Count nothing as read."""
        self._offset, self._last = 0, b""

    def go_on_from(self, other: Part) -> bool:
        """Count as read what was read of the file that this is a copy of; return whether the copy has its last line."""
        self.copy = False
        if (found := os.pread(self.fd, _MOST, 0).find(other._last)) < 0:
            self.pass_over()
        else:  # of a large file only the end was copied
            self._offset, self._last = found + len(other._last), other._last
        return found >= 0

    def new(self) -> list[bytes]:
        """Return the whole lines that are new, at most 32 MiB; none of a file that has just been emptied."""
        if self.copy:
            return []
        before = len(self._last)
        data = os.pread(self.fd, _MOST + before, self._offset - before)
        if not data.startswith(self._last):
            return []
        whole = data[: data.rfind(b"\n") + 1] if len(data) < _MOST or b"\n" in data[before:] else data
        if len(whole) <= before:
            return []
        self._offset += len(whole) - before
        self._last = _last_line(whole)
        return whole[before:].splitlines()

    def forwards(self) -> Iterator[bytes]:
        """Yield the lines that were read, without the holes, which the file's owner can make as large as they like."""
        position, rest, end = 0, b"", self._offset
        try:
            while position < end and (data := os.pread(self.fd, min(_BLOCK, end - position), position)):
                *lines, rest = (rest + data).split(b"\n")
                yield from lines
                rest = rest if len(rest) <= _LONGEST else b""
                position = os.lseek(self.fd, position + len(data), os.SEEK_DATA)
        except OSError:  # no data follows
            pass

    def backwards(self) -> Iterator[bytes]:
        """Yield the lines that were read, the last one first, of at most 32 MiB."""
        end, rest, least = self._offset, b"", max(0, self._offset - _MOST)
        while end > least:
            begin = max(0, end - _BLOCK)
            first, *lines = (os.pread(self.fd, end - begin, begin) + rest).split(b"\n")
            yield from reversed(lines)
            end, rest = begin, first if len(first) <= _LONGEST else b""
        if end == 0:
            yield rest


class Parts:
    """The log's files, the oldest first. `missed` says that the last look may have come too late for some lines."""

    def __init__(self, path: str, clock: Clock) -> None:
        self.path, self.clock = path, clock
        self.missed = False
        self._parts: list[Part] = []
        self._look()
        self.missed = False
        for part in self._parts:
            part.copy = False
            part.pass_over()

    def forwards(self) -> Iterator[bytes]:
        """Yield the lines that were there at the beginning, in their order."""
        return (line for part in self._parts for line in part.forwards())

    def backwards(self) -> Iterator[bytes]:
        """Yield the lines that were there at the beginning, the last one first; at most 32 MiB of each file."""
        return (line for part in reversed(self._parts) for line in part.backwards())

    def new(self) -> list[bytes]:
        """Return the lines that have come since the last call."""
        self.missed = False
        self._look()
        return [line for part in self._parts for line in part.new()]

    def close(self) -> None:
        """Close all files."""
        while self._parts:
            os.close(self._parts.pop().fd)

    def _look(self) -> None:
        """Open what is new at the log's names, and close what has left them for long enough."""
        log = self._at(self.path)  # before the older one: a rotation between both hides no file
        was_emptied = log is not None and log.was_emptied()
        older = self._at(rotation.older(self.path))
        if older and older not in self._parts:
            self._add_older(older, log)
        if log and log not in self._parts:
            self._parts.append(log)
        copy = older if older and older.copy else None
        if log and (was_emptied or (copy and log.was_emptied_into(copy))):
            if copy and not copy.go_on_from(log):
                self.missed = True
            log.begin_again()
        self._let_go(log, older)

    def _add_older(self, older: Part, log: Part | None) -> None:
        if log and log in self._parts:
            older.copy = True
            self._parts.insert(self._parts.index(log), older)
        else:  # the newest known file was at this name before, and another one at the log's
            self.missed = bool(self._parts)
            self._parts.append(older)

    def _let_go(self, log: Part | None, older: Part | None) -> None:
        now = self.clock.now()
        for part in list(self._parts):
            if part in (log, older):
                part.left = None
            elif part.left is None:
                part.left = now if log else None  # nginx writes on into a log that somebody has removed
            elif part.left + _LATE < now:
                os.close(part.fd)
                self._parts.remove(part)

    def _at(self, path: str) -> Part | None:
        """Return the plain file of this name; None if there is none."""
        fd = open_plain(path)
        if fd is None:
            return None
        for part in self._parts:
            if part.is_same(fd):
                os.close(fd)
                return part
        return Part(fd)


def _last_line(lines: bytes) -> bytes:
    return lines[lines.rfind(b"\n", 0, -1) + 1 :]
