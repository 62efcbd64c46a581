"""zddeploy recover: finish or undo an interrupted deploy, and restart what is down."""

from __future__ import annotations

from zdd.cli import options
from zdd.deploy import recovery, requests
from zdd.deploy.deploy import deploy
from zdd.project import Project


@options.command("recover", "deploys")
def command(project: Project) -> int:
    r"""
    Finish or undo an interrupted deploy; restart what is down.

    Every other command that changes something also finishes or undoes an interrupted deploy first.

    \b
    Example:
      zddeploy recover
    """
    with recovery.changing(project, "zddeploy recover") as recovered:
        pass
    if broken := requests.broken(project):
        project.events.notice(f"{', '.join(broken)}: down, starting again now")
        return deploy(project, "recover", lambda: requests.restart(project, broken))
    if recovered is None:
        project.events.notice("nothing was interrupted")
    return 0
