"""A failure as a person reads it: what failed and why, then the program's last output, then what to do."""

from __future__ import annotations

import sys

import click

from zdd.events import Failed
from zdd.terminal import Terminal, fitted, size
from zdd.visible import visible

_BELOW = 4  # rows of a terminal that are left for what follows: what serves now, and the prompt
_FEWEST = 3  # lines of output that are shown even on a small terminal


def show(failure: Failed) -> None:
    """Print a failure on stderr. A terminal gets so much of the output that the first line stays on the screen."""
    message = fitted(f"zddeploy: {failure.cause}", sys.stderr)
    output = [f"  | {visible(line)}" for line in failure.output or ()]
    after = []
    if failure.log:
        after.append(f"  all its output: {failure.log}" if output else f"  it has printed nothing ({failure.log})")
    if failure.hint:
        after.append(fitted(f"  {failure.hint}", sys.stderr))
    if sys.stderr.isatty():
        output = _last_that_fit(output, size().lines - _BELOW - _rows([message, *after]))
    Terminal(sys.stderr).say(message, "red")
    for line in [*output, *after]:
        click.echo(line, err=True)


def _last_that_fit(lines: list[str], rows: int) -> list[str]:
    """Return the last lines that fit into so many rows, each cut to two rows."""
    longest = 2 * size().columns
    cut = [line if len(line) <= longest else f"{line[: longest - 3]}..." for line in lines]
    number = next((number for number in range(len(cut)) if _rows(cut[number:]) <= rows), len(cut))
    return cut[min(number, max(0, len(cut) - _FEWEST)) :]


def _rows(texts: list[str]) -> int:
    """Return how many rows of the terminal these texts take."""
    columns = size().columns
    return sum(max(1, -(-len(line) // columns)) for text in texts for line in text.splitlines())
