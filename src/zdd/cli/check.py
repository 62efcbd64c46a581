"""zddeploy check: all that a deploy depends on, looked at."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import click
import msgspec

from zdd.checks import everything
from zdd.cli import options
from zdd.errors import UsageError, counted
from zdd.finding import Finding
from zdd.terminal import fitted

_SIGNS = {"error": ("x", "red"), "warning": ("!", "yellow"), "fine": (" ", "green")}


@click.command("check")
@options.common
def command(conf: Path | None, verbose: bool, as_json: bool) -> int:
    r"""
    Look at everything a deploy depends on, and change nothing.

    Configuration, nginx and what it reads, access, commands, ports, limits, memory, disk, systemd. For each thing that
    is not right: what, why it matters, and how to mend it. Exits 2 when there is an error: then a deploy would fail, or
    lose requests.

    \b
    Examples:
      zddeploy check
      zddeploy check --json
    """
    try:
        found = everything.check(options.project_of(conf, verbose, as_json, looks_only=True))
    except UsageError as problem:
        found = [everything.Found(check="configuration", finding=everything.broken(problem))]
    levels: Counter[str] = Counter(one.finding.level for one in found)
    if as_json:
        findings = [{"check": one.check, **msgspec.to_builtins(one.finding)} for one in found]
        click.echo(
            msgspec.json.encode({"errors": levels["error"], "warnings": levels["warning"], "findings": findings})
        )
    else:
        for level in ("fine", "warning", "error"):  # what matters most is nearest to the prompt
            for one in found:
                if one.finding.level == level:
                    _show(one.finding)
        warnings, errors = counted(levels["warning"], "warning"), counted(levels["error"], "error")
        click.echo(f"{levels['fine']} fine, {warnings}, {errors}")
    return UsageError.exit_code if levels["error"] else 0


def _show(finding: Finding) -> None:
    sign, colour = _SIGNS[finding.level]
    click.secho(fitted(f"{sign} {finding.what}", sys.stdout), fg=colour)
    for words in (finding.why, finding.fix and f"-> {finding.fix}"):
        if words:
            click.echo(fitted(f"    {words}", sys.stdout))
