"""zddeploy recover: finish or undo an interrupted deploy, and repair what is broken."""

from __future__ import annotations

from collections.abc import Callable

from zdd.cli import options
from zdd.deploy import mending, recovery, requests
from zdd.deploy.deploy import deploy
from zdd.deploy.plan import Request
from zdd.project import Project


@options.command("recover", "deploys")
def command(project: Project) -> int:
    r"""
    Finish or undo an interrupted deploy; repair what is broken.

    What `zddeploy status` calls broken is repaired: instances that do not serve, or that nobody would start again, are
    replaced; nginx is started, or gets its text back. If something cannot be repaired, recover says what a person must
    do and exits with 5.

    Every other command that changes something also finishes or undoes an interrupted deploy first.

    \b
    Example:
      zddeploy recover
    """
    was_lost = mending.is_lost(project)
    with recovery.changing(project, "zddeploy recover") as recovered:
        mended = mending.mend_nginx(project)
    if was_lost and project.tables.current() is None:
        return _deploy(project, lambda: requests.up(project))
    if broken := mending.broken(project):
        services = ", ".join(f"{name}: {why}" for name, why in broken.items())
        project.events.notice(f"{services}, starting again now")
        return _deploy(project, lambda: requests.restart(project, tuple(broken)))
    return mending.report(project, mended or recovered is not None)


def _deploy(project: Project, ask: Callable[[], Request]) -> int:
    return deploy(project, "recover", ask, still_broken=lambda: mending.still_broken(project))
