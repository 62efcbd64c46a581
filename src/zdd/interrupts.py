"""Ctrl-C and SIGTERM: noted when they come, acted upon where it is safe."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from zdd.errors import DeployFailed


class Interrupted(DeployFailed):
    """The user, or the system, wants the deploy to end."""


class Interrupts:
    """
    Signals only leave a note here, and whoever waits looks for it: so a deploy is never cut in the middle of a step.

    SIGHUP does not count: a deploy outlives the terminal it was started from. It has a handler nevertheless, since
    what is ignored stays ignored in all that is started, and a shell could not even trap it.
    """

    def __init__(self) -> None:
        self.noted: str | None = None
        self._held = False

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Note the signals for as long as this lasts."""
        handlers = {signal.SIGINT: self._note, signal.SIGTERM: self._note, signal.SIGHUP: _pass_over}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let nothing interrupt what is done here."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    def check(self) -> None:
        """Raise Interrupted when a signal has come."""
        if self.noted and not self._held:
            raise Interrupted(f"interrupted by {self.noted}")

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  (what signal(2) calls with)
        self.noted = signal.Signals(number).name


def _pass_over(number: int, frame: FrameType | None) -> None:
    """Do nothing about a signal."""
