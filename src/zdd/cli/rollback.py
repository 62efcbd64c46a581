"""zddeploy rollback: the version before."""

from __future__ import annotations

from pathlib import Path

import click

from zdd.cli import complete, options
from zdd.cli.change import change
from zdd.deploy import requests


@click.command("rollback")
@click.argument("version", required=False, metavar="[DEPLOY or RELEASE]", shell_complete=complete.versions)
@options.lock_timeout
@options.common
def command(version: str | None, lock_timeout: float | None, conf: Path | None, verbose: bool, as_json: bool) -> int:
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
    project = options.site_of(conf, verbose, as_json)
    return change(project, "rollback", lambda: requests.request(project, version), lock_timeout)
