"""zddeploy down: stop everything."""

from __future__ import annotations

from zdd.cli import options
from zdd.events import Result
from zdd.operate.down import down
from zdd.project import Project


@options.command("down", "changes")
def command(project: Project) -> Result:
    r"""
    Stop the project's nginx and services, in order.

    It stops nginx first, if zdd started it, then the services. `zddeploy up` starts them again.

    Releases, shared files, logs and the history stay in /var/lib/zdd/PROJECT, or in ~/.local/state/zdd/PROJECT for a
    user's project. To remove a project completely, run `zddeploy disable` if it was enabled, then `zddeploy down`, then
    remove that folder.

    \b
    Example:
      zddeploy down
    """
    down(project)
    return Result(deploy=None, text=f"{project.name} is down; `zddeploy up` brings it back")
