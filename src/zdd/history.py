"""What was deployed, by whom, and what became of it: an append-only record for people, on which nothing depends."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from zdd.host import files


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """
    One deploy. Times are seconds, `started` of time.time().

    `output` is the last that was printed by the program that failed; `replaced` is the deploy that served before;
    `origin` the deploy whose version was started again, by a rollback, a restart or an up.
    """

    deploy: int
    action: str
    outcome: str
    started: float
    seconds: float
    who: str
    services: list[str]
    steps: list[dict[str, Any]]
    release: str | None = None
    label: str | None = None
    cause: str | None = None
    output: list[str] | None = None
    replaced: int | None = None
    origin: int | None = None


def append(path: str, entry: Entry) -> None:
    """Add an entry and have it on disk; it is one write, so a crash leaves at most a torn last line."""
    is_new = not os.path.exists(path)
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        line = msgspec.json.encode(entry) + b"\n"
        os.write(fd, line if _ends_whole(fd) else b"\n" + line)
        os.fsync(fd)
    finally:
        os.close(fd)
    if is_new:
        files.sync_path(os.path.dirname(path))


def read(path: str) -> list[Entry]:
    """Return all entries, the newest first; lines that are torn or damaged are passed over."""
    entries = []
    for line in (files.read(path) or "").splitlines():
        try:
            entries.append(msgspec.json.decode(line, type=Entry))
        except msgspec.MsgspecError:
            continue
    return entries[::-1]


def find(entries: list[Entry], deploy: int) -> Entry | None:
    """Return the entry of a deploy that was done."""
    return next((entry for entry in entries if entry.deploy == deploy and entry.outcome == "done"), None)


def _ends_whole(fd: int) -> bool:
    size = os.fstat(fd).st_size
    return size == 0 or os.pread(fd, 1, size - 1) == b"\n"
