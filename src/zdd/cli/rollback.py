"""zddeploy rollback: the version before."""

from __future__ import annotations

import click

from zdd.cli import complete, options
from zdd.deploy import requests
from zdd.deploy.deploy import Options, deploy
from zdd.project import Project


@options.command("rollback", "deploys")
@click.argument("version", required=False, metavar="[DEPLOY or RELEASE]", shell_complete=complete.versions)
def command(project: Project, version: str | None, lock_timeout: float | None) -> int:
    r"""
    Go back to the version before; again goes further back.

    That is the last one that differs in release, configuration or environment, so restarts are passed over. It comes
    back with the configuration and environment that it was deployed with. While it is kept warm this is one rename;
    after that its release is started and proven like a new one.

    \b
    Examples:
      zddeploy rollback          the last version that was another one
      zddeploy rollback 17       the version of deploy 17
    """
    return deploy(project, "rollback", lambda: requests.rollback(project, version), Options(lock_timeout))
