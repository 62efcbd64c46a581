"""zddeploy history: the deploys so far."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence

import click
import msgspec

from zdd import history, kills
from zdd.cli import options
from zdd.kills import Kill
from zdd.paths import Paths
from zdd.terminal import fitted
from zdd.visible import in_json


@options.command("history", "reads")
@click.option("-n", "--number", type=click.IntRange(1), default=20, show_default=True, help="How many to show.")
def command(paths: Paths, number: int, as_json: bool) -> int:
    r"""
    Show the deploys: when, by whom, and how each ended.

    The newest comes first.

    \b
    Examples:
      zddeploy history -n 5
      zddeploy history --json      with every step and its seconds
    """
    found, entries = kills.read(paths.kills), list[history.Entry]()
    for entry in history.newest_first(paths.history):
        entries.append(entry)
        # The entries below belong to no kill that is still known, and are not shown.
        if len(entries) >= number and (not found or entry.started <= found[-1].at):
            break
    killed, entries = kills.by_deploy(found, entries), entries[:number]
    if as_json:
        for entry in entries:
            more = [msgspec.to_builtins(kill) for kill in killed.get(entry.deploy, ())]
            click.echo(in_json(msgspec.structs.replace(entry, killed=more or None)))
        return 0
    for text in lines(entries, killed) or [f"{paths.config.project} has not been deployed yet"]:
        click.echo(fitted(text, sys.stdout))
    return 0


def lines(entries: Sequence[history.Entry], killed: Mapping[int, Sequence[Kill]]) -> list[str]:
    """Return the entries as lines for a person, each with the cause of its failure and what was killed below it."""
    width, shown = max((len(entry.action) for entry in entries), default=0), []
    for entry in entries:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.started))
        outcome = f"{entry.outcome:<6} {entry.seconds:>6.1f} s"
        parts = [f"{entry.deploy:>5}  {when}  {entry.action:<{width}}  {outcome}  {entry.who}"]
        shown.append("  ".join([*parts, *(text for text in (_version(entry), entry.label) if text)]))
        shown += [f"       {entry.cause}"] if entry.cause else []
        shown += [f"       {kills.sentence(kill)}" for kill in reversed(killed.get(entry.deploy, ()))]
    return shown


def _version(entry: history.Entry) -> str | None:
    """Return the release; for a rollback also the deploy that it went back to."""
    if entry.action != "rollback" or entry.origin is None:
        return entry.release
    return f"back to {entry.release} (deploy {entry.origin})" if entry.release else f"back to deploy {entry.origin}"
