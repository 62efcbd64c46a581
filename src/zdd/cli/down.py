"""zddeploy down: everything off."""

from __future__ import annotations

from zdd.cli import options
from zdd.events import Result
from zdd.operate.down import down
from zdd.project import Project


@options.command("down", "changes")
def command(project: Project) -> Result:
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
    down(project)
    text = f"{project.name} is down; `zddeploy up` brings it back"
    return Result(outcome="done", cause=None, deploy=None, exit=0, text=text)
