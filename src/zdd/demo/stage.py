"""Where the demo is told: lines that stay, and on a terminal one line below them that lives."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from typing import TextIO

import click


class Stage:
    """Prints to a stream; colours and the living line are for terminals only, colours for those that want them."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._start = clock()
        self._alive = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = stream.isatty() and not os.environ.get("NO_COLOR")
        self._shown = ""

    def say(self, line: str = "") -> None:
        """Print a line that stays."""
        self._erase()
        click.echo(line, file=self._stream, color=self._colour)

    def tell(self, line: str) -> None:
        """Print a line that stays, with the time since the start."""
        self.say(click.style(f"{self._clock() - self._start:6.1f} s  ", fg="bright_black") + line)

    def show(self, line: str) -> None:
        """Replace the living line; elsewhere than on a terminal nothing is printed."""
        line = line[: shutil.get_terminal_size().columns - 1]
        if self._alive and line != self._shown:
            self._erase()
            self._shown = line
            click.echo(click.style(line, fg="cyan"), nl=False, file=self._stream, color=self._colour)

    def _erase(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._shown = ""
