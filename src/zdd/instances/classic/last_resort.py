"""The note of a classic instance that had to be killed, for the screen, `status` and `history`."""

from __future__ import annotations

from zdd.instances.classic.members import Killed
from zdd.instances.classic.record import ClassicRecord
from zdd.keeper import kills


def note(path: str, instance: str, known: ClassicRecord, killed: Killed, seconds: float) -> None:
    """
    Write to this file that an instance that has been healthy was killed, if it was: what it was doing is lost.

    Neither its stop command, if that was run, nor SIGTERM has ended it within `seconds`, its stop_timeout.
    """
    if killed.first or killed.rest:
        how = f"by `{known.service.stop}` and SIGTERM" if known.stop else "by SIGTERM"
        limit = f"{kills.stop_timeout(seconds)} {how}"
        kills.note(path, instance, known.service.name, is_whole=killed.first, limit=limit, after=seconds)
