"""The history: what was deployed, by whom, and how it ended. An append-only record for people; no decision needs it."""

from __future__ import annotations

import contextlib
import os
from typing import Annotated, Any

import msgspec

from zdd import typed
from zdd.host import files
from zdd.typed import Damaged

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


def append(path: str, entry: Entry) -> None:
    """Append an entry durably. It is a single write, so a crash leaves at most an incomplete last line."""
    is_new = not os.path.exists(path)
    with files.Opened(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640) as fd:
        line = msgspec.json.encode(entry) + b"\n"
        os.write(fd, line if _ends_whole(fd) else b"\n" + line)
        os.fsync(fd)
    if is_new:
        files.sync_path(os.path.dirname(path))


def read(path: str) -> list[Entry]:
    """Return all entries, newest first. Skip incomplete and damaged lines. Raises OSError if the file is unreadable."""
    entries = []
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        for line in file:  # JSON has no other ends of lines in it, and a label may
            with contextlib.suppress(Damaged):
                entries.append(typed.decode(line, Entry))
    return entries[::-1]


def known(path: str) -> list[Entry]:
    """Return the same, or nothing if the file is unreadable: it is for people, and no deploy may fail for it."""
    with contextlib.suppress(OSError):
        return read(path)
    return []


def _ends_whole(fd: int) -> bool:
    size = os.fstat(fd).st_size
    return size == 0 or os.pread(fd, 1, size - 1) == b"\n"
