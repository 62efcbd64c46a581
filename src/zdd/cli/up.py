"""zddeploy up: what was up is up again."""

from __future__ import annotations

from pathlib import Path

import click

from zdd.cli import options
from zdd.cli.change import change
from zdd.deploy.again import is_up, up
from zdd.instances import environment


@click.command("up")
@options.lock_timeout
@options.common
def command(lock_timeout: float | None, conf: Path | None, verbose: bool, as_json: bool) -> int:
    r"""
    Bring the last good release up, after `down` or a reboot.

    It has the configuration and environment that it was deployed with. What serves already is left as it is.

    \b
    Example:
      zddeploy up
    """
    project = options.site_of(conf, verbose, as_json)
    environment.recall(project.paths.environment)
    if is_up(project):
        project.events.notice(f"{project.name} is up already")
        return 0
    return change(project, "up", lambda: up(project), lock_timeout)
