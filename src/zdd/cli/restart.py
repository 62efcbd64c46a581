"""zddeploy restart: the same release, anew."""

from __future__ import annotations

from pathlib import Path

import click

from zdd.cli import complete, options
from zdd.cli.change import change
from zdd.deploy.again import restart


@click.command("restart")
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete.services)
@options.lock_timeout
@options.common
def command(
    services: tuple[str, ...], lock_timeout: float | None, conf: Path | None, verbose: bool, as_json: bool
) -> int:
    r"""
    Start what serves anew, and switch to it; nothing is built.

    It is the same release, with the configuration and environment that it was deployed with, and goes like a deploy.
    What has changed in the configuration file since then takes a deploy.

    \b
    Examples:
      zddeploy restart
      zddeploy restart web
    """
    project = options.site_of(conf, verbose, as_json)
    return change(project, "restart", lambda: restart(project, services), lock_timeout)
