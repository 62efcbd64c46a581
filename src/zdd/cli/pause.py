"""zddeploy pause: requests wait."""

from __future__ import annotations

import click

from zdd.cli import complete, options
from zdd.events import Result
from zdd.operate.pause import pause
from zdd.project import Project


@options.command("pause", "changes")
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete.services)
@click.option("--max", "longest", type=options.Duration(), default=30.0, metavar="DURATION", help="At most; 30s.")
def command(project: Project, services: tuple[str, ...], longest: float) -> Result:
    r"""
    Have requests wait for a while; the apps run on.

    For a short operation that they should not meet. They wait in the kernel until `zddeploy resume`, or for --max,
    whatever happens to this machine's zddeploy.

    \b
    Examples:
      zddeploy pause --max 10s
      zddeploy pause web
    """
    paused = pause(project, services, longest)
    if paused.others:
        project.events.notice(f"{', '.join(paused.others)}: not paused, as the app has a socket of its own")
    names, limit = ", ".join(paused.services), project.proxy.capacity()
    text = f"{names}: requests wait, for {longest:g} s at most ({limit}); `zddeploy resume` lets them in"
    return Result(outcome="done", cause=None, services=paused.services, exit=0, text=text)
