"""zddeploy restart: the same release, anew."""

from __future__ import annotations

from pathlib import Path

import click

from zdd.cli import options
from zdd.cli.change import change
from zdd.deploy.again import restart


@click.command("restart")
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@options.lock_timeout
@options.common
def command(
    services: tuple[str, ...], lock_timeout: float | None, conf: Path | None, verbose: bool, as_json: bool
) -> int:
    """Start what serves anew, with the configuration of now, and switch to it like a deploy; nothing is built."""
    site = options.site_of(conf, verbose, as_json)
    return change(site, "restart", lambda: restart(site, services), lock_timeout)
