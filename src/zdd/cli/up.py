"""zddeploy up: start the last good release."""

from __future__ import annotations

from zdd.cli import options
from zdd.deploy import mending, recovery, requests
from zdd.deploy.deploy import deploy
from zdd.instances import environment
from zdd.operate import admission, early
from zdd.project import Project


@options.command("up", "deploys")
def command(project: Project) -> int:
    r"""
    Start the last good release, after `down` or a reboot.

    It gets the configuration and environment that it was deployed with. What serves already stays as it is.

    \b
    Example:
      zddeploy up
    """
    environment.recall(project.paths.environment)
    admission.mend(project)
    if early.is_needed(project):
        if requests.has_nothing(project):
            early.open_ports(project)
            return 0
        with recovery.changing(project, "zddeploy up"):
            mending.mend_nginx(project)
    if requests.is_up(project):
        project.events.notice(f"{project.name} is up already")
        return 0
    return deploy(project, "up", lambda: requests.up(project))
