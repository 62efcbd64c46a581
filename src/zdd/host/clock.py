"""Time, behind a seam: deadlines are tested by pushing the clock, not by waiting."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Clock(Protocol):
        """What zdd asks of a clock; seconds throughout."""

        def now(self) -> float:
            """Return monotonic seconds."""

        def sleep(self, seconds: float) -> None:
            """Let this much time go by."""


class SystemClock:
    """The machine's own monotonic clock."""

    def now(self) -> float:
        """Return seconds of CLOCK_MONOTONIC, the same for every process on the machine."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Sleep; a negative time is none."""
        time.sleep(max(0.0, seconds))
