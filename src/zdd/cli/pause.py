"""zddeploy pause: hold incoming requests."""

from __future__ import annotations

import click

from zdd.cli import options
from zdd.events import Result
from zdd.operate.pause import pause
from zdd.project import Project


@options.command("pause", "changes")
@options.services
@click.option("--max", "longest", type=options.duration, default=30.0, metavar="DURATION", help="At most; 30s.")
def command(project: Project, services: tuple[str, ...], longest: float) -> Result:
    r"""
    Hold incoming requests for a while; apps keep running.

    Use it for a short operation during which no request may arrive. The requests wait in the kernel until `zddeploy
    resume`, or for --max, even if zddeploy dies.

    \b
    Examples:
      zddeploy pause --max 10s
      zddeploy pause web
    """
    paused, others = pause(project, services, longest)
    if others:
        project.events.notice(f"{', '.join(others)}: not paused, since the app opens its own socket")
    names, limit = ", ".join(paused), project.proxy.capacity()
    text = f"{names}: holding requests for up to {longest:g} s ({limit}); `zddeploy resume` releases them"
    return Result(services=paused, text=text)
