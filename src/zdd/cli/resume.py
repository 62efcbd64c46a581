"""zddeploy resume: requests that wait are let in."""

from __future__ import annotations

import click

from zdd.cli import complete, options
from zdd.events import Result
from zdd.operate.pause import resume
from zdd.project import Project


@options.command("resume", "changes")
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete.services)
def command(project: Project, services: tuple[str, ...]) -> Result:
    r"""
    Let in the requests that `zddeploy pause` has made wait.

    \b
    Example:
      zddeploy resume
    """
    resumed = resume(project, services)
    text = f"requests are let in to {', '.join(resumed)}" if resumed else "nothing was paused"
    return Result(outcome="done", cause=None, instances=resumed, exit=0, text=text)
