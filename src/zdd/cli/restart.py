"""zddeploy restart: restart the running release."""

from __future__ import annotations

import click

from zdd.cli import complete, options
from zdd.deploy import requests
from zdd.deploy.deploy import Options, deploy
from zdd.project import Project


@options.command("restart", "deploys")
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=complete.services)
def command(project: Project, services: tuple[str, ...], lock_timeout: float | None) -> int:
    r"""
    Restart the running release without downtime. Builds nothing.

    New instances start, and requests switch to them, as in a deploy. They get the configuration and environment that
    the release was deployed with; a changed configuration file needs a deploy.

    \b
    Examples:
      zddeploy restart
      zddeploy restart web
    """
    return deploy(project, "restart", lambda: requests.restart(project, services), Options(lock_timeout))
