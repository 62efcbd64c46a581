"""zddeploy down: everything off."""

from __future__ import annotations

from pathlib import Path

import click

from zdd.cli import options
from zdd.events import Result
from zdd.lock import changing
from zdd.operate.down import down


@click.command("down")
@options.lock_timeout
@options.common
def command(lock_timeout: float | None, conf: Path | None, verbose: bool, as_json: bool) -> int:
    r"""
    Stop everything of this project, in order.

    First nginx, if zdd started it, then the services; `zddeploy up` brings them back.

    What stays are releases, shared files, logs and the history, in /var/lib/zdd/PROJECT, of a user's project in
    ~/.local/state/zdd/PROJECT. To have nothing left of a project, remove that folder after `down`, and, where
    `zddeploy enable` was run, run `zddeploy disable` before.

    \b
    Example:
      zddeploy down
    """
    project = options.site_of(conf, verbose, as_json)
    with changing(project, "zddeploy down", lock_timeout):
        down(project)
    words = f"{project.name} is down; `zddeploy up` brings it back"
    project.events.send(Result(outcome="done", cause=None, deploy=None, exit=0, text=words))
    return 0
