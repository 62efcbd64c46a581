"""zddeploy resume: requests that wait are let in."""

from __future__ import annotations

from pathlib import Path

import click

from zdd.cli import complete, options
from zdd.events import Result
from zdd.lock import changing
from zdd.operate.pause import resume


@click.command("resume")
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete.services)
@options.lock_timeout
@options.common
def command(
    services: tuple[str, ...], lock_timeout: float | None, conf: Path | None, verbose: bool, as_json: bool
) -> int:
    r"""
    Let in the requests that `zddeploy pause` has made wait.

    \b
    Example:
      zddeploy resume
    """
    project = options.site_of(conf, verbose, as_json)
    with changing(project, "zddeploy resume", lock_timeout):
        resumed = resume(project, services)
    text = f"requests are let in to {', '.join(resumed)}" if resumed else "nothing was paused"
    project.events.send(Result(outcome="done", cause=None, instances=resumed, exit=0, text=text))
    return 0
