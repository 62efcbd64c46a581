"""zddeploy down: everything off."""

from __future__ import annotations

from pathlib import Path

import click

from zdd.cli import options
from zdd.deploy.down import down
from zdd.deploy.lock import changing


@click.command("down")
@options.lock_timeout
@options.common
def command(lock_timeout: float | None, conf: Path | None, verbose: bool, as_json: bool) -> int:
    r"""
    Stop everything of this project, in order.

    First nginx, if zdd started it, then the services; `zddeploy up` brings them back.

    \b
    Example:
      zddeploy down
    """
    site = options.site_of(conf, verbose, as_json)
    with changing(site, "zddeploy down", lock_timeout):
        down(site)
    site.report.event("result", outcome="done", cause=None, deploy=None, exit=0, text=f"{site.config.project} is down")
    return 0
