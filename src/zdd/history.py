"""The history: what was deployed, by whom, and how it ended. An append-only record for people; no decision needs it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

import msgspec

from zdd import typed
from zdd.host import files
from zdd.typed import Damaged

T = TypeVar("T")

_BLOCK = 1 << 16  # bytes that are read at once
Moment = Annotated[float, msgspec.Meta(ge=0, le=1e11)]  # seconds: more than a few thousand years are damage


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """
    One deploy. Times are in seconds, `started` as of time.time().

    `output` is the last output of the program that failed, `replaced` the deploy that served before, and `origin` the
    deploy whose version was started again by a rollback, a restart or an up. `killed` is not in the file: `zddeploy
    history` adds it (see kills.py).
    """

    deploy: int
    action: str
    outcome: str
    started: Moment
    seconds: Moment
    who: str
    services: list[str]
    steps: list[dict[str, Any]]
    release: str | None = None
    label: str | None = None
    cause: str | None = None
    output: list[str] | None = None
    replaced: int | None = None
    origin: int | None = None
    killed: list[dict[str, Any]] | None = None


class Outcome(msgspec.Struct):
    """What decisions need of an entry: read alone, ten thousand of them take 10 ms, whole ones 50."""

    deploy: int
    action: str
    outcome: str
    release: str | None = None
    origin: int | None = None


def append(path: str, entry: Entry) -> None:
    """Append an entry durably. It is a single write, so a crash leaves at most an incomplete last line."""
    is_new = not os.path.exists(path)
    with files.Opened(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640) as fd:
        line = msgspec.json.encode(entry) + b"\n"
        os.write(fd, line if _ends_whole(fd) else b"\n" + line)
        os.fsync(fd)
    if is_new:
        files.sync_path(os.path.dirname(path))


def newest_first(path: str) -> Iterator[Entry]:
    """
    Yield the entries, newest first, and read no more of the file than that needs: it grows with every deploy.

    Skip incomplete and damaged lines. Raises OSError if the file is unreadable.
    """
    yield from _decoded(path, Entry)


def known(path: str) -> Iterator[Entry]:
    """Yield the same, or nothing if the file is unreadable: it is for people, and no deploy may fail for it."""
    with contextlib.suppress(OSError):
        yield from newest_first(path)


def outcomes(path: str) -> list[Outcome]:
    """Return how all deploys ended, newest first, as far as the file can be read."""
    with contextlib.suppress(OSError):
        return list(_decoded(path, Outcome))
    return []


def _decoded(path: str, kind: type[T]) -> Iterator[T]:
    for line in _lines_backwards(path):
        with contextlib.suppress(Damaged):
            yield typed.decode(line, kind)


def _lines_backwards(path: str) -> Iterator[bytes]:
    """Yield the lines, the last one first. JSON has no other ends of lines in it, and a label may."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        position, rest = os.fstat(file.fileno()).st_size, b""
        while position > 0:
            size = min(_BLOCK, position)
            position -= size
            first, *lines = (os.pread(file.fileno(), size, position) + rest).split(b"\n")
            yield from reversed(lines)
            rest = first
        yield rest


def _ends_whole(fd: int) -> bool:
    size = os.fstat(fd).st_size
    return size == 0 or os.pread(fd, 1, size - 1) == b"\n"
