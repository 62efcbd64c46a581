"""What is written down of a classic instance, for which no keeper answers, in R/control (0700)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from zdd.conf.schema import ClassicService
from zdd.host import files
from zdd.host.process import Process


class ClassicRecord(msgspec.Struct, omit_defaults=True):
    """
    Which process it is, where it listens, what its pid files were before it, and what stops it.

    `service` is the configuration it was started with, which may have left the file since. Processes are (pid, start
    time); `files_before` has None for a file that was not there.
    """

    service: ClassicService
    files_before: dict[str, str | None]
    process: tuple[int, int] | None = None
    port: int | None = None
    stop: tuple[int, int] | None = None

    def main(self) -> Process | None:
        """Return the instance's process if it lives."""
        return _living(self.process)

    def stopping(self) -> Process | None:
        """Return the stop command's process while it runs."""
        return _living(self.stop)


def write(path: str, record: ClassicRecord) -> None:
    """Replace the instance's record."""
    files.write(path, msgspec.json.encode(record, enc_hook=str).decode(), mode=0o600)


def read(path: str) -> ClassicRecord | None:
    """Return the instance's record; None when there is none or it is damaged, which is the same: nothing is known."""
    try:
        text = files.read(path) or ""
        return msgspec.json.decode(text, type=ClassicRecord, dec_hook=_decode)
    except msgspec.MsgspecError:
        return None


def _decode(kind: type, value: Any) -> Any:
    return kind(value) if kind is Path else value


def _living(pair: tuple[int, int] | None) -> Process | None:
    if pair is None:
        return None
    process = Process(*pair)
    return process if process.alive() else None
