"""What every command that changes what serves has in common: the lock, the result, the watched drain."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import UNSET

from zdd.checks import preflight
from zdd.deploy import differences, versions
from zdd.deploy.deploy import deploy, finish_interrupted
from zdd.deploy.plan import Request
from zdd.deploy.watch import watch
from zdd.errors import ZddError, as_zdd_error, last_words
from zdd.events import Result
from zdd.lock import changing
from zdd.operate import in_place
from zdd.project import Project

CUT = 4  # the exit code for: done, but with --strict-drain connections were cut


def change(
    project: Project,
    action: str,
    request: Callable[[], Request],
    lock_timeout: float | None,
    detach: bool = False,
    strict: bool = False,
) -> int:
    """
    Carry a request out and tell how it ended; returns the exit code.

    `request` is worked out once the lock is held and what was interrupted is finished, since it may depend on what
    serves. A deploy takes the configuration of today, so what that needs is looked at before.
    Raises ZddError, after telling of it, when it did not work out.
    """
    begun, before = time.monotonic(), None
    try:
        before = _serving(project)
        if action == "deploy":
            _require(project)
        with changing(project, f"zddeploy {action}", lock_timeout):
            if project.tables.unfinished():
                finish_interrupted(project)
            wanted = request()
            today, project = project, versions.site_of(project, wanted)
            if action != "deploy":
                _require(project)
            if text := differences.told(today, wanted):
                project.events.notice(text)
            target, replaced = deploy(project, wanted, warm=not strict)
        seconds = time.monotonic() - begun
    except Exception as error:
        failure = as_zdd_error(error)
        _tell_failure(project, failure, before)
        raise failure from failure.__cause__
    drained = None if detach else watch(project, replaced)
    cut = project.events.cut + (drained.cut if drained else 0)
    code = CUT if strict and cut else 0
    release = f", release {target.release}" if target.release else ""
    project.events.send(
        Result(
            outcome="done",
            cause=None,
            deploy=target.deploy,
            exit=code,
            seconds=round(seconds, 3),
            drained=drained.ended if drained else None,
            cut=cut,
            text=f"done in {seconds:.2f} s: {project.name} serves deploy {target.deploy}{release}",
        )
    )
    return code


def _require(project: Project) -> None:
    """Raise UsageError, while nothing is touched yet, where something that is needed is not there."""
    project.proxy.require()
    project.instances.require()
    preflight.check(project)
    for notice in preflight.notices(project):
        project.events.notice(notice.line)


def _serving(project: Project) -> int | None:
    current = project.tables.current()
    return current.deploy if current else None


def _tell_failure(project: Project, error: ZddError, before: int | None) -> None:
    number = before
    try:
        number = _serving(project)
        if error.exit_code == 1:
            error.now_serving = what_serves(project)
    except Exception as another:  # it must not take the place of what failed first
        project.events.notice(f"cannot tell what serves: {as_zdd_error(another).message}")
    committed = (number or 0) > (before or 0)  # what failed came after it
    outcome = "undone" if error.exit_code == 1 and not committed else "failed"
    output = list(last_words(error)) or UNSET
    project.events.send(
        Result(outcome=outcome, cause=error.message, output=output, deploy=number, exit=error.exit_code)
    )


def what_serves(project: Project) -> str:
    """Return who serves although a change failed."""
    current = project.tables.current()
    if current:
        running = project.instances.running()
        unwanted = in_place.loaded(project, current, running)
        down = [f"{name} is down" for name in current.instances if name not in running or running[name].is_broken]
        serves = "is still in force" if unwanted or down else "still serves"
        notes = unwanted or in_place.warning(project, current)
        return "; ".join([f"deploy {current.deploy} {serves}", *down, *notes])
    if any(running.state == "serving" for running in project.instances.running().values()):
        return "what an earlier zdd has started still serves"
    return "nothing was served before, and nothing is now"
