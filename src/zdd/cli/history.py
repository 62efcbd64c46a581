"""zddeploy history: what was deployed."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec

from zdd import history
from zdd.cli import options


@click.command("history")
@click.option("-n", "--number", type=click.IntRange(1), default=20, show_default=True, help="How many to show.")
@options.common
def command(number: int, conf: Path | None, verbose: bool, as_json: bool) -> int:
    r"""
    Show the deploys: when, by whom, and what became of them.

    The newest comes first.

    \b
    Examples:
      zddeploy history -n 5
      zddeploy history --json      with every step and its seconds
    """
    site = options.site_of(conf, verbose, as_json, looks_only=True)
    entries = history.read(site.places.history)[:number]
    for entry in entries:
        if as_json:
            click.echo(msgspec.json.encode(entry))
        else:
            for text in lines(entry):
                click.echo(text)
    if not entries and not as_json:
        click.echo(f"{site.config.project} has not been deployed yet")
    return 0


def lines(entry: history.Entry) -> list[str]:
    """Return the entry as a person reads it; what went wrong is below it."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.started))
    what = entry.action + (f" to {entry.origin}" if entry.origin else "")
    parts = [f"{entry.deploy:>5}  {when}  {what:<9} {entry.outcome:<6} {entry.seconds:>6.1f} s  {entry.who}"]
    parts += [text for text in (entry.release, entry.label) if text]
    return ["  ".join(parts), *([f"       {entry.cause}"] if entry.cause else [])]
