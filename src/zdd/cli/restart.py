"""zddeploy restart: restart the running release."""

from __future__ import annotations

from zdd.cli import options
from zdd.deploy import requests
from zdd.deploy.deploy import deploy
from zdd.project import Project


@options.command("restart", "deploys")
@options.services
def command(project: Project, services: tuple[str, ...]) -> int:
    r"""
    Restart the running release without downtime. Builds nothing.

    New instances start, and requests switch to them, as in a deploy. They get the configuration and environment that
    the release was deployed with; a changed configuration file needs a deploy.

    \b
    Examples:
      zddeploy restart
      zddeploy restart web
    """
    return deploy(project, "restart", lambda: requests.restart(project, services))
