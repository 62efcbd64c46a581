"""zddeploy recover: finish or undo what was interrupted, and start again what is down."""

from __future__ import annotations

from pathlib import Path

import click

from zdd.cli import options
from zdd.cli.change import change
from zdd.deploy import again
from zdd.deploy.deploy import finish_interrupted
from zdd.lock import changing


@click.command("recover")
@options.lock_timeout
@options.common
def command(lock_timeout: float | None, conf: Path | None, verbose: bool, as_json: bool) -> int:
    r"""
    Finish or undo what was interrupted; restart what is down.

    Every other command that changes something finishes or undoes an interrupted deploy first, too.

    \b
    Example:
      zddeploy recover
    """
    project = options.site_of(conf, verbose, as_json)
    with changing(project, "zddeploy recover", lock_timeout):
        recovered = finish_interrupted(project)
    if broken := again.broken(project):
        project.events.notice(f"{', '.join(broken)}: down, and started again now")
        return change(project, "recover", lambda: again.restart(project, broken), lock_timeout)
    if recovered is None:
        project.events.notice("nothing was interrupted")
    return 0
