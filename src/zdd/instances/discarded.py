"""The instances whose start was undone, until they have ended or are left to their keepers."""

from __future__ import annotations

from zdd.errors import shorten
from zdd.events import Events
from zdd.host.clock import Clock
from zdd.instances.driver import Driver
from zdd.instances.spec import KEEPER_TIMEOUT

_MOMENT = 1.0  # seconds in which most apps end; on a busy machine node took 0.03, uvicorn 0.2, gunicorn 0.7, daphne 0.9
_AGAIN = 0.1  # seconds between looks at whether it must still be waited for
_SHOWN = 5  # names in a notice


class Discarded:
    """Waits for their ends, and reports those that nobody has to wait for."""

    def __init__(self, clock: Clock, events: Events) -> None:
        self.clock, self.events = clock, events
        self._drivers: list[Driver] = []

    def add(self, driver: Driver) -> None:
        """Note an instance that was told to end."""
        self._drivers.append(driver)

    def await_end(self) -> None:
        """
        Wait until they have ended. Leave those that do not end in a moment to their keepers.

        Those that must have ended before the next version starts are waited for.
        """
        until = self.clock.now() + _MOMENT
        left = [driver for driver in self._drivers if not driver.await_discarded(until - self.clock.now())]
        self._drivers.clear()
        for driver in left:
            if why := driver.must_end():
                self.events.notice(f"{driver.name} is waited for, at most {driver.ends_within():g} s: {why}")
        left = [driver for driver in left if not self._has_let_go(driver)]
        if left:
            has, it_is = ("has", "it is") if len(left) == 1 else ("have", "they are")
            names = shorten([driver.name for driver in reversed(left)], _SHOWN)
            seconds = max(driver.ends_within() for driver in left)
            text = f"{names} {has} not ended yet, and nobody has to wait: {it_is} killed within {seconds:g} s"
            self.events.notice(text)

    def _has_let_go(self, driver: Driver) -> bool:
        """Wait for an instance as long as the next version needs its end; return whether it has ended."""
        until = self.clock.now() + driver.ends_within() + KEEPER_TIMEOUT
        while driver.must_end() and self.clock.now() < until:
            if driver.await_discarded(_AGAIN):
                return True
        return driver.await_discarded(0)
