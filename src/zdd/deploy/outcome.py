"""The outcome of a change: reported on the screen, in the JSON stream and in the history."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from msgspec import UNSET

from zdd import history, secret
from zdd.claims import who
from zdd.deploy.watch import Drained
from zdd.errors import NeedsPerson, NotMended, ZddError, as_zdd_error, last_words
from zdd.events import Result
from zdd.history import Entry
from zdd.instances import environment
from zdd.project import Project
from zdd.routing.manifest import Manifest

CUT = 4  # the exit code for: done, but with --strict-drain connections were cut
NOBODY = 5  # for: done, but somebody else's nginx is down, so that it is for a person to start


def known_to_serve(project: Project) -> int | None:
    """Return the deploy in force; None also if that cannot be read: the command will fail for this and report it."""
    with contextlib.suppress(ZddError, OSError):
        return _serving(project)
    return None


def report_done(
    project: Project,
    target: Manifest,
    seconds: float,
    drained: Drained | None,
    strict: bool,
    still_broken: NeedsPerson | None = None,
) -> int:
    """
    Report that the target serves, and return the exit code.

    `drained` is None if nobody watched, `still_broken` says what a person must do.
    """
    cut = project.events.cut + (drained.cut if drained else 0)
    down = project.proxy.whereabouts().down
    code = NOBODY if down or still_broken else CUT if strict and cut else 0
    if down:
        but = f", but visitors get nothing: {down}"
    else:
        but = f", but {still_broken.message}; {still_broken.hint}" if still_broken else ""
    release = f", release {target.release}" if target.release else ""
    project.events.send(
        Result(
            deploy=target.deploy,
            exit=code,
            seconds=round(seconds, 3),
            drained=drained.ended if drained else None,
            cut=cut,
            handed=(drained.handed if drained else 0) or UNSET,
            killed=[*project.events.killed, *(drained.killed if drained else ())] or UNSET,
            unproved=[{"service": event.service, "reason": event.reason} for event in project.events.unproved],
            text=f"done in {seconds:.2f} s: {project.name} serves deploy {target.deploy}{release}{but}",
        )
    )
    return code


def report_failure(project: Project, error: ZddError, before: int | None) -> ZddError:
    """
    Report that the command failed, add to the error what serves now, and return it.

    `before` is the deploy that served when the command began.
    """
    number = before
    try:
        number = _serving(project)
        if error.exit_code == 1 or isinstance(error, NotMended):
            error.now_serving = now_serving(project)
    except Exception as another:  # it must not replace the first error
        project.events.notice(f"cannot tell what serves: {as_zdd_error(another).message}")
    committed = (number or 0) > (before or 0)  # the failure came after the commit
    outcome = "undone" if error.exit_code == 1 and not committed else "failed"
    output = list(last_words(error)) or UNSET
    project.events.send(
        Result(outcome=outcome, cause=error.message, output=output, deploy=number, exit=error.exit_code)
    )
    return error


def now_serving(project: Project) -> str:
    """Return a sentence that says what serves after a failed change."""
    current = project.tables.current()
    if current:
        from zdd.operate import in_place  # here, because most deploys succeed

        running = project.instances.running()
        unwanted = list(in_place.loaded(project, current, running))
        down = [f"{name} is down" for name in current.instances if name not in running or running[name].is_broken]
        serves = "is still in force" if unwanted or down else "still serves"
        notes = unwanted or list(in_place.warning(project, current))
        return "; ".join([f"deploy {current.deploy} {serves}", *down, *notes])
    if any(state.state == "serving" for state in project.instances.running().values()):
        return "what an earlier zdd has started still serves"
    return "nothing was served before, and nothing is now"


def write_history(
    project: Project,
    target: Manifest,
    outcome: str,
    seconds: float,
    cause: str | None = None,
    output: Sequence[str] | None = None,
) -> None:
    """
    Write the entry of a deploy that took these seconds.

    Only report a failure to do so: the deploy is done, or has failed for another reason.
    """
    entry = Entry(
        deploy=target.deploy,
        action=target.action,
        outcome=outcome,
        started=target.started,
        seconds=round(seconds, 3),
        who=who(),
        services=target.services(),
        steps=project.events.steps,
        release=target.release,
        label=target.label,
        cause=cause,
        output=[secret.hide(line) for line in output] if output else None,
        replaced=target.before,
        origin=target.origin,
    )
    from zdd.operate import in_place  # here, because until the outcome is known nobody needs it

    in_place.remember(project, target.deploy)
    try:
        history.append(project.paths.history, entry)
        if target.action == "deploy" and outcome == "done":
            environment.remember(project.paths.environment)
    except Exception as error:
        project.events.notice(f"cannot write {project.paths.history}: {as_zdd_error(error).message}")


def _serving(project: Project) -> int | None:
    current = project.tables.current()
    return current.deploy if current else None
