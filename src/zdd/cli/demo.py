"""zddeploy demo: the proof in the box."""

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

    It takes about 20 seconds and needs nothing but nginx. All of it happens in a folder of its own below /tmp and on
    a free port of 127.0.0.1; nothing is left of it. Exits 1 when a request failed, when the broken release was not
    refused, or when another one was.

    \b
    Example:
      zddeploy demo
    """
    stage = Terminal(sys.stderr if as_json else sys.stdout, margin=10)
    figures = Demo(stage).play()
    for line in ("", *figures.table(), ""):
        stage.say(line)
    problems = figures.problems()
    for problem in problems:
        stage.say(problem, "red")
    if not problems:
        stage.say("Five deploys, one of them broken, and not one request was lost.", "green", bold=True)
        stage.say("Your own service: a deploy.toml like the one above, and `zddeploy` beside it.")
    if as_json:
        click.echo(json.dumps(figures.as_json()))
    return 1 if problems else 0
