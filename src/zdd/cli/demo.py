"""zddeploy demo: the proof that no request is lost."""

from __future__ import annotations

import json
import sys

import click

from zdd.demo.story import Demo
from zdd.terminal import Terminal


@click.command("demo")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout at the end; all else goes to stderr.")
def command(as_json: bool) -> int:
    r"""
    Watch five deploys under load, without one lost request.

    It takes about 20 seconds and needs only nginx. It uses a folder below /tmp and a free port of 127.0.0.1, and
    removes everything afterwards. Exits 1 if a request failed, if the broken release was not rejected, or if another
    release was.

    \b
    Example:
      zddeploy demo
    """
    terminal = Terminal(sys.stderr if as_json else sys.stdout, margin=10)
    figures = Demo(terminal).play()
    for line in ("", *figures.table(), ""):
        terminal.say(line)
    problems = figures.problems()
    for problem in problems:
        terminal.say(problem, "red")
    if not problems:
        terminal.say("Five deploys, one of them broken, and not one request was lost.", "green", bold=True)
        terminal.say("Your own service: a deploy.toml like the one above, and `zddeploy` beside it.")
    if as_json:
        click.echo(json.dumps(figures.as_json()))
    return 1 if problems else 0
