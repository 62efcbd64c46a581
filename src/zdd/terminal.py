"""Output for people: lines that stay, and on a terminal one living line below them."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Collection, Sequence
from typing import TextIO

import click

from zdd.visible import visible


class Terminal:
    """
    Prints to a stream; colours and the living line appear on terminals only, and NO_COLOR turns colours off.

    `margin` is the indentation of lines without a time.
    """

    def __init__(self, stream: TextIO, margin: int = 0) -> None:
        self._stream = stream
        self._margin = " " * margin
        self._start = time.monotonic()
        self.alive = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = stream.isatty() and "NO_COLOR" not in os.environ
        self._shown = ""

    def say(self, line: str = "", colour: str | None = None, bold: bool | None = None) -> None:
        """Print a line that stays."""
        self.erase()
        click.secho(line, file=self._stream, color=self._colour, fg=colour, bold=bold)

    def log(self, line: str) -> None:
        """Print a line that stays, preceded by the time since the start."""
        self.say(faint(f"{time.monotonic() - self._start:6.1f} s  ") + line)

    def detail(self, line: str) -> None:
        """Print a line that stays, without a time: it belongs to the line above."""
        self.say(faint(self._margin + line))

    def show(self, line: str, colour: str = "cyan") -> None:
        """Replace the living line; prints nothing unless on a terminal."""
        line = (self._margin + visible(line))[: size().columns - 1]
        if self.alive and line != self._shown:
            self.erase()
            self._shown = line
            click.secho(line, nl=False, file=self._stream, color=self._colour, fg=colour)

    def keep(self, line: str) -> None:
        """Print a line with its time if there is no living line."""
        if not self.alive:
            self.log(line)

    def erase(self) -> None:
        """Erase the living line."""
        if self._shown:
            click.echo("\r\x1b[K", nl=False, file=self._stream, color=True)
            self._shown = ""


def table(rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """
    Return a line for each row, with the cells of a column below each other; a column of empty cells takes no room.

    The columns `right` are aligned to the right. Cells may be styled.

    >>> table([["web-1", "", "5"], ["worker-12", "", "12"]], right=[2])
    ['web-1       5', 'worker-12  12']
    """
    lengths = [[len(click.unstyle(cell)) for cell in row] for row in rows]
    widths = [max(column) for column in zip(*lengths, strict=True)]
    lines = []
    for row, taken in zip(rows, lengths, strict=True):
        cells = []
        for column, (cell, length, width) in enumerate(zip(row, taken, widths, strict=True)):
            blanks = " " * (width - length)
            cells += [blanks + cell if column in right else cell + blanks] if width else []
        lines.append("  ".join(cells).rstrip())
    return lines


def size() -> os.terminal_size:
    """Return COLUMNS and LINES, else the size of the terminal, else 80 x 24; shutil has the same and imports much."""
    try:
        terminal = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        terminal = os.terminal_size((80, 24))
    given = [os.environ.get(name, "") for name in ("COLUMNS", "LINES")]
    columns, lines = (int(text) if re.fullmatch("[0-9]{1,4}", text) else 0 for text in given)
    return os.terminal_size((columns or terminal.columns or 80, lines or terminal.lines or 24))


def fitted(text: str, stream: TextIO) -> str:
    """
    Wrap each line to the terminal's width, between words but not within `a command`; make control characters visible.

    Without a terminal no line is wrapped, for programs that search the text.
    """
    text, width = visible(text), size().columns
    if not stream.isatty() or all(len(line) <= width for line in text.splitlines()):
        return text
    import textwrap  # here, because most lines are short

    commands_whole = re.sub("`[^`]*`", lambda command: command[0].replace(" ", "\0"), text)
    wrapped = (
        textwrap.fill(
            line,
            width,
            subsequent_indent=" " * (len(line) - len(line.lstrip()) + 2),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in commands_whole.splitlines()
    )
    return "\n".join(wrapped).replace("\0", " ")


def faint(text: str) -> str:
    """Return less important text, styled as such."""
    return click.style(text, fg="bright_black")
