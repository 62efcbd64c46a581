"""Time, behind a seam: tests pass a clock of their own, and push it instead of waiting."""

from __future__ import annotations

import time


class Clock:
    """The machine's monotonic clock, the same for every process on it."""

    def now(self) -> float:
        """Return seconds of CLOCK_MONOTONIC."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let this much time go by; a negative one is none."""
        time.sleep(max(0.0, seconds))
