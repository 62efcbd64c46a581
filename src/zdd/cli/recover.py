"""zddeploy recover: finish or undo what was interrupted, and nothing else."""

from __future__ import annotations

from pathlib import Path

import click

from zdd.cli import options
from zdd.deploy.deploy import finish_interrupted
from zdd.deploy.lock import changing


@click.command("recover")
@options.lock_timeout
@options.common
def command(lock_timeout: float | None, conf: Path | None, verbose: bool, as_json: bool) -> int:
    r"""
    Finish or undo a deploy that was interrupted.

    Every other command that changes something does this first, too.

    \b
    Example:
      zddeploy recover
    """
    site = options.site_of(conf, verbose, as_json)
    with changing(site, "zddeploy recover", lock_timeout):
        recovered = finish_interrupted(site)
    if recovered is None:
        site.report.event("notice", text="nothing was interrupted")
    return 0
