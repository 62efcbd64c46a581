"""zddeploy resume: release the requests that a pause holds."""

from __future__ import annotations

from zdd.cli import options
from zdd.events import Result
from zdd.operate.pause import resume
from zdd.project import Project


@options.command("resume", "changes")
@options.services
def command(project: Project, services: tuple[str, ...]) -> Result:
    r"""
    Release the requests that `zddeploy pause` holds.

    \b
    Example:
      zddeploy resume
    """
    resumed = resume(project, services)
    text = f"released the requests of {', '.join(resumed)}" if resumed else "nothing was paused"
    return Result(instances=resumed, text=text)
