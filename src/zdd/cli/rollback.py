"""zddeploy rollback: go back to the previous version."""

from __future__ import annotations

import click

from zdd.cli import completion, options
from zdd.deploy import requests
from zdd.deploy.deploy import deploy
from zdd.project import Project


@options.command("rollback", "deploys")
@click.argument("version", required=False, metavar="[DEPLOY or RELEASE]", shell_complete=completion.versions)
def command(project: Project, version: str | None) -> int:
    r"""
    Go back to the previous version; repeat to go further back.

    The previous version is the last one with another release, configuration or environment, so restarts do not count.
    It gets the configuration and environment that it was deployed with. While it is kept warm, a rollback is a single
    rename; later its release is started and checked like a new one.

    \b
    Examples:
      zddeploy rollback          the previous version
      zddeploy rollback 17       the version of deploy 17
    """
    return deploy(project, "rollback", lambda: requests.rollback(project, version))
