"""zddeploy watch: follow a deploy that somebody else runs."""

from __future__ import annotations

import click

from zdd.cli import options
from zdd.errors import NeedsPerson
from zdd.events import Result
from zdd.operate import under_way
from zdd.project import Project
from zdd.visible import in_json


@options.command("watch", "looks")
def command(project: Project, as_json: bool) -> int:
    r"""
    Follow a deploy that somebody else runs.

    It prints all steps from the first one on, and exits with the deploy's exit code. Ctrl-C ends only the watching.

    \b
    Examples:
      zddeploy watch
      zddeploy watch --json
    """
    change = under_way.look(project)
    if change is None:
        project.events.notice(f"nothing is under way; `zddeploy status` shows what {project.name} serves")
        return 0
    project.events.notice(f"{change.who} runs `zddeploy {change.action}`, pid {change.pid}")
    for event in under_way.follow(project, change):
        if as_json:
            click.echo(in_json(event))
        else:
            project.events.send(event)
        if isinstance(event, Result):
            return event.exit
    if project.tables.unfinished() is None:
        return 0  # a change without a deploy, such as a pause, has no events
    raise NeedsPerson(
        f"`zddeploy {change.action}` of {change.who} ended in the middle of a deploy",
        hint="`zddeploy recover` finishes or undoes it",
    )
