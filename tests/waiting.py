"""Waiting for an effect: the one way tests wait."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(holds: Callable[[], object], seconds: float = 60.0, what: str = "it") -> None:
    """
    Wait until it holds; the deadline is for machines that are slow, not for code that is.

    A file or process that is not there is "not yet": what is replaced (a pid file, say) is missing for a moment.
    """
    deadline = time.monotonic() + seconds
    while not _now(holds):
        assert time.monotonic() < deadline, f"{what} did not hold within {seconds:g} s"
        time.sleep(0.01)


def _now(holds: Callable[[], object]) -> object:
    try:
        return holds()
    except (FileNotFoundError, ProcessLookupError):
        return False
