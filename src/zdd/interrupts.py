"""Ctrl-C, SIGTERM and SIGHUP: noted when they arrive, obeyed where that is safe."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from zdd.errors import DeployFailed
from zdd.host.own_process import Handlers


class Interrupted(DeployFailed):
    """A signal asks the deploy to end."""


class Interrupts:
    """
    A signal is only noted here, and every wait checks the note, so no signal ends a deploy in the middle of a step.

    SIGHUP ends nothing: a deploy outlives its terminal. It is noted, since nobody watches any more. It must have a
    handler, since children would inherit an ignored signal, and a shell could not even trap it.
    """

    def __init__(self) -> None:
        self.noted: str | None = None
        self.hung_up = False
        self._held = False
        self._look: Callable[[], None] = lambda: None

    @property
    def last(self) -> str | None:
        """The signal after which nobody waits for us any more; None if there was none."""
        return self.noted or ("SIGHUP" if self.hung_up else None)

    def caught(self) -> Handlers:
        """Return a context in which signals are noted; it may be entered again inside."""
        return Handlers({signal.SIGINT: self._note, signal.SIGTERM: self._note, signal.SIGHUP: self._note_hang_up})

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Prevent interruptions inside the context, which may be entered again inside."""
        before, self._held = self._held, True
        try:
            yield
        finally:
            self._held = before

    @contextlib.contextmanager
    def looking(self, look: Callable[[], None]) -> Iterator[None]:
        """Call `look`, too, at every check inside the context: it may raise for what makes each wait pointless."""
        before, self._look = self._look, look
        try:
            yield
        finally:
            self._look = before

    def check(self) -> None:
        """Raise Interrupted if a signal has been noted."""
        if self._held:
            return
        if self.noted:
            raise Interrupted(f"interrupted by {self.noted}")
        self._look()

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  (the signature of a handler)
        self.noted = signal.Signals(number).name

    def _note_hang_up(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.hung_up = True
