"""Carries out steps in order and undoes them in reverse; knows nothing of what they are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from zdd.deploy.steps import Step
from zdd.errors import DeployFailed, NeedsPerson, Unforeseen, ZddError, of_system
from zdd.project import Project


def run(steps: Sequence[Step], project: Project, turn_back: Callable[[], None]) -> None:
    """
    Do the steps. When one fails, or the user interrupts, undo it and those before it, and raise what it raised.

    `turn_back` is called before the first undo: it makes the change of direction durable.
    Raises NeedsPerson when even the undoing failed.
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
            with contextlib.suppress(OSError):  # on a full disk the undo is needed all the more
                turn_back()
            with project.events.timed("undo", f"undoing it: {cause}"):
                undo(begun, project, cause)
        raise


def _do(step: Step, project: Project) -> None:
    try:
        step.do(project)
    except OSError as error:
        raise DeployFailed(f"{step.name}: {of_system(error)}") from error
    except ZddError:
        raise
    except Exception as error:
        raise Unforeseen(error, step.name) from error


def undo(steps: Sequence[Step], project: Project, cause: BaseException) -> None:
    """
    Undo the steps, the last one first; one that fails does not keep the others from being undone.

    But while clients may still be led to what the steps before it have started, none of those is undone.
    """
    first = cause
    failed: list[str] = []
    hint = "`zddeploy status` shows what serves; `zddeploy recover` tries again"
    for step in reversed(steps):
        try:
            step.undo(project)
            continue
        except (ZddError, OSError) as error:
            failed.append(f"{step.name}: {of_system(error) if isinstance(error, OSError) else error}")
            stays = step.leads or isinstance(error, NeedsPerson)
        except Exception as error:
            cause = Unforeseen(error, step.name)
            failed.append(str(cause))
            stays = step.leads
        if stays:
            hint = f"clients may still reach the new version, so no instance of either is stopped; {hint}"
            break
    if failed:
        severe = NeedsPerson(f"{first}; undoing it failed too: {'; '.join(failed)}", hint=hint)
        if isinstance(first, ZddError) and hasattr(first, "output"):
            severe.output, severe.log = first.output, first.log
        raise severe from cause
