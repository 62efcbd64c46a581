"""Run steps in order and undo them in reverse, whatever they do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from zdd.deploy.steps import Step
from zdd.errors import DeployFailed, NeedsPerson, Unforeseen, ZddError, of_system
from zdd.project import Project


def run(steps: Sequence[Step], project: Project, turn_back: Callable[[BaseException], None]) -> None:
    """
    Run the steps. If one fails or the user interrupts, undo it and all earlier ones, and raise its error.

    `turn_back` is called with the error before the first undo, to record durably that the deploy goes back.
    Raises NeedsPerson if the undo fails, too.
    """
    begun: list[Step] = []
    try:
        for step in steps:
            project.interrupts.check()
            begun.append(step)
            with project.events.timed(step.name, step.line):
                _do(step, project)
    except BaseException as cause:
        with project.interrupts.held():
            with contextlib.suppress(OSError):  # a full disk must not prevent the undo
                turn_back(cause)
            with project.events.timed("undo", "undoing it"):
                undo(begun, project, cause)
        raise


def _do(step: Step, project: Project) -> None:
    try:
        step.do(project)
    except OSError as error:
        from zdd.deploy import full_disk  # here, because only a failure needs it

        hint = full_disk.hint(error, [project.paths.state, project.paths.runtime])
        raise DeployFailed(f"{step.name}: {of_system(error)}", hint=hint) from error
    except ZddError:
        raise
    except Exception as error:
        raise Unforeseen(error, step.name) from error


def undo(steps: Sequence[Step], project: Project, cause: BaseException) -> None:
    """
    Undo the steps, the last one first. If one cannot be undone, the earlier ones are undone all the same.

    The exception: while clients may still reach instances that earlier steps have started, those steps are not undone.
    """
    first = cause
    failures: list[str] = []
    hint = "`zddeploy status` shows what serves; `zddeploy recover` tries again"
    for step in reversed(steps):
        try:
            step.undo(project)
            continue
        except (ZddError, OSError) as error:
            failures.append(f"{step.name}: {of_system(error) if isinstance(error, OSError) else error}")
            stays = step.leads or isinstance(error, NeedsPerson)
        except Exception as error:
            cause = Unforeseen(error, step.name)
            failures.append(str(cause))
            stays = step.leads
        if stays:
            hint = f"clients may still reach the new version, so no instance of either version is stopped; {hint}"
            break
    if failures:
        severe = NeedsPerson(f"{first}; undoing it failed too: {'; '.join(failures)}", hint=hint)
        if isinstance(first, ZddError) and hasattr(first, "output"):
            severe.output, severe.log = first.output, first.log
        raise severe from cause
