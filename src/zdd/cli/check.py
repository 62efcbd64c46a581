"""zddeploy check: everything that a deploy depends on."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable

import click
import msgspec

from zdd.checks import everything
from zdd.cli import options
from zdd.errors import UsageError, UsageErrors, counted
from zdd.finding import Finding
from zdd.project import Project
from zdd.terminal import fitted
from zdd.visible import in_json

# The worst comes last, nearest to the prompt.
_SIGNS = {"fine": (" ", "green"), "warning": ("!", "yellow"), "error": ("x", "red")}


@options.command("check", "opens")
def command(opened: Callable[[], Project], as_json: bool) -> int:
    r"""
    Check everything that a deploy depends on; change nothing.

    Looks at configuration, nginx and its files, access, commands, ports, limits, memory, disk and systemd. For each
    problem it says what is wrong, why that matters, and how to fix it. Exits 2 if there is an error, that is, if a
    deploy would fail or lose requests.

    \b
    Examples:
      zddeploy check
      zddeploy check --json
    """
    try:
        results = everything.check(opened())
    except UsageError as problem:
        mistakes = problem.errors if isinstance(problem, UsageErrors) else [problem]
        results = [("configuration", everything.broken(mistake)) for mistake in mistakes]
    levels: Counter[str] = Counter(finding.level for _, finding in results)
    if as_json:
        findings = [{"check": check, **msgspec.to_builtins(finding)} for check, finding in results]
        counts = {"errors": levels["error"], "warnings": levels["warning"]}
        click.echo(in_json({**counts, "findings": findings}))
    else:
        for _, finding in sorted(results, key=lambda result: list(_SIGNS).index(result[1].level)):
            _show(finding)
        warnings, errors = counted(levels["warning"], "warning"), counted(levels["error"], "error")
        click.echo(f"{levels['fine']} fine, {warnings}, {errors}")
    return UsageError.exit_code if levels["error"] else 0


def _show(finding: Finding) -> None:
    sign, colour = _SIGNS[finding.level]
    click.secho(fitted(f"{sign} {finding.what}", sys.stdout), fg=colour)
    for text in (finding.why, finding.fix and f"-> {finding.fix}"):
        if text:
            click.echo(fitted(f"    {text}", sys.stdout))
