"""What happens in a deploy, told as it happens."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

from zdd import secret


class Listener(Protocol):
    """Whoever wants to know: the terminal, the JSON stream, the deploy's log."""

    def event(self, event: str, fields: dict[str, object]) -> None:
        """Take one event; `fields` can be written as JSON."""


class Report:
    """Tells every listener, and remembers how long each step took and how many connections were cut on the way."""

    def __init__(self, *listeners: Listener) -> None:
        self.listeners = list(listeners)
        self.steps: list[dict[str, object]] = []
        self.cut = 0

    def event(self, event: str, **fields: object) -> None:
        """
        Tell of something; of texts, without the secrets in them.

        Who cannot be told any more, as their terminal has gone, is told nothing from now on: the deploy goes on.
        """
        fields = {name: _hidden(one) for name, one in fields.items()}
        for listener in list(self.listeners):
            try:
                listener.event(event, fields)
            except OSError:
                self.listeners.remove(listener)

    @contextlib.contextmanager
    def timed(self, step: str, words: str = "") -> Iterator[None]:
        """Tell of a step when it begins, in `words`, and when it is done, with its seconds and whether it failed."""
        self.event("doing", step=step, text=words or step)
        begun, ok = time.monotonic(), False
        try:
            yield
            ok = True
        finally:
            seconds = round(time.monotonic() - begun, 4)
            self.steps.append({"name": step, "seconds": seconds})
            self.event("step", step=step, seconds=seconds, ok=ok)


def _hidden(field: object) -> object:
    if isinstance(field, list):
        return [_hidden(one) for one in field]
    return secret.hide(field) if isinstance(field, str) else field
