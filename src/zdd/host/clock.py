"""The clock, which tests replace by one that they push instead of waiting, and the boot of the machine."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # the keeper imports no module that it does not need
    from collections.abc import Callable, Iterator

_SHARE, _LONGEST = 20, 0.5  # a pause of `paced` in times of the last look, and in seconds


class Clock:
    """The machine's monotonic clock, the same for every process on it."""

    def now(self) -> float:
        """Return seconds of CLOCK_MONOTONIC."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait this long; not at all if the number is negative."""
        time.sleep(max(0.0, seconds))

    def poll(
        self, every: float | Callable[[], float], until: float, interrupt: Callable[[], object] = lambda: None
    ) -> Iterator[None]:
        """
        Yield at once, then every `every` seconds, and a last time at `until`, a moment of `now`.

        `every` may be called instead, before each pause: then pauses may grow.

        The caller checks its condition each time and leaves the loop once it holds; `for ... else` is the deadline.
        `interrupt` is called before each pause and may raise.
        """
        yield
        while (remaining := until - self.now()) > 0:
            interrupt()
            self.sleep(min(every() if callable(every) else every, remaining))
            yield

    def paced(self, every: float, until: float) -> Iterator[None]:
        """
        Yield as `poll` does, with pauses of 20 times what the caller's last look took, but at most 0.5 s.

        For looks at all sockets of the machine: a scan of 10,000 takes 5 ms, one of 89,000 takes 82 ms.
        """
        pause = every
        for _ in self.poll(lambda: pause, until):  # noqa: B023  (the pause as it is then)
            begun = self.now()
            yield
            pause = max(every, self._pause_after(begun))

    def seldom(self, look: Callable[[], object]) -> Callable[[], None]:
        """Return a function that calls `look` when as long has passed as `paced` would pause after the last time."""
        due = self.now()

        def act() -> None:
            nonlocal due
            if (begun := self.now()) >= due:
                look()
                due = self.now() + self._pause_after(begun)

        return act

    def _pause_after(self, begun: float) -> float:
        """Return the seconds to pause after a look that began then and has just ended."""
        return min(_SHARE * (self.now() - begun), _LONGEST)


def boot_id() -> str:
    """
    Return the identity of this boot: process numbers and start times mean nothing under another.

    Returns "" where it cannot be read, for example in a unit with ProcSubset=pid.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def boot_time() -> float:
    """Return the moment of this boot in seconds of time.time(): whole ones, or exact where /proc/stat is hidden."""
    try:
        with open("/proc/stat", "rb") as file:
            for line in file:
                if line.startswith(b"btime "):
                    return float(line.split()[1])
    except OSError:  # ProcSubset=pid
        pass
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def stamp(path: str) -> None:
    """
    Give a file or link the time of now in seconds since the boot (CLOCK_BOOTTIME), since anybody may set the clock.

    Nothing fails where that is impossible.
    """
    try:
        os.utime(path, (now := time.clock_gettime(time.CLOCK_BOOTTIME), now), follow_symlinks=False)
    except OSError:
        pass


def age(path: str) -> float:
    """Return the seconds since `stamp`; a negative number for a file with a time of the day. Raises OSError."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - os.lstat(path).st_mtime
