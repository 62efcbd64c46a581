"""zddeploy restart: the same release, anew."""

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
    Start what serves anew, and switch to it; nothing is built.

    It is the same release, with the configuration and environment that it was deployed with, and goes like a deploy.
    What has changed in the configuration file since then takes a deploy.

    \b
    Examples:
      zddeploy restart
      zddeploy restart web
    """
    return deploy(project, "restart", lambda: requests.restart(project, services), Options(lock_timeout))
