"""The record of a classic instance, which has no keeper: a file in R/control (0700)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from zdd import typed
from zdd.conf.services import ClassicService
from zdd.host import files
from zdd.host.foreign import NotText
from zdd.host.process import Process
from zdd.typed import Damaged


class ClassicRecord(msgspec.Struct, omit_defaults=True):
    """
    Its process, its port, its pid files as they were before its start, and its stop command.

    `service` is the configuration it was started with. Processes are (pid, start time). `files_before` has None for a
    file that did not exist.
    """

    service: ClassicService
    files_before: dict[str, str | None]
    process: tuple[int, int] | None = None
    port: int | None = None
    stop: tuple[int, int] | None = None

    def main(self) -> Process | None:
        """Return the instance's process if it is alive."""
        return _living(self.process)

    def stopping(self) -> Process | None:
        """Return the stop command's process if it is alive."""
        return _living(self.stop)


def write(path: str, record: ClassicRecord) -> None:
    """Replace the instance's record."""
    files.write(path, msgspec.json.encode(record, enc_hook=str).decode(), mode=0o600)


def read(path: str) -> ClassicRecord | None:
    """Return the instance's record, None if it is missing or damaged."""
    try:
        text = files.read(path)
        return typed.decode(text, ClassicRecord, _decode) if text else None
    except (Damaged, NotText):
        return None


def _decode(kind: type, value: Any) -> Any:
    return kind(value) if kind is Path else value


def _living(pair: tuple[int, int] | None) -> Process | None:
    if pair is None:
        return None
    process = Process(*pair)
    return process if process.alive() else None
