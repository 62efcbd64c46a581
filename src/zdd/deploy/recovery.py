"""What becomes of a deploy that was interrupted: finished or undone, from what its manifest and the switch say."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from zdd import lock
from zdd.deploy import cleanup, pipeline, plan
from zdd.deploy.outcome import write_history
from zdd.errors import DeployFailed, NeedsPerson, ZddError, as_zdd_error
from zdd.project import Project
from zdd.routing.manifest import Manifest

_LIVING = ("serving", "warm", "unkept")  # states of instances that answer


@contextlib.contextmanager
def changing(project: Project, command: str, timeout: float | None) -> Iterator[Manifest | None]:
    """
    Hold the project's lock, and finish or undo what was interrupted before anything else; yields its manifest.

    Raises Locked, and what `finish_interrupted` raises.
    """
    with lock.holding(project, command, timeout):
        yield finish_interrupted(project)


def try_to_finish(project: Project) -> None:
    """Finish or undo what was interrupted. A failure is only told: it must not keep anybody from `down`, for one."""
    try:
        finish_interrupted(project)
    except (ZddError, OSError) as error:
        message = as_zdd_error(error).message
        project.events.notice(f"what was interrupted can be neither finished nor undone: {message}")


def finish_interrupted(project: Project) -> Manifest | None:
    """
    Recover what was interrupted or lost, and retire what it left; returns its manifest, None if nothing was.

    Raises NeedsPerson if that cannot be done without losing what serves.
    """
    recovered = recover(project)
    if recovered:
        outcome = "done" if recovered.rule.is_version else "undone"
        end = "finished" if recovered.rule.is_version else "undone"
        project.events.notice(f"deploy {recovered.deploy} was interrupted; it is {end} now")
        write_history(project, recovered, outcome, None if recovered.rule.is_version else "interrupted")
    found = find_way(project)
    if project.releases:
        project.releases.discard_half_built()
    cleanup.clean_up(project)
    return recovered or found


def recover(project: Project) -> Manifest | None:
    """
    Finish or undo an interrupted deploy; returns it, None when there was none. Bears being interrupted itself.

    Forward and switched: its instances passed every gate but the last ones, so those are passed now, and it is
    committed. Everything else goes back.
    """
    target = project.tables.unfinished()
    if target is None:
        return None
    before = project.tables.before(target)
    _require_way_back(project, target, before)
    project = project.as_of(
        project.snapshots.read(target.deploy)
    )  # as it was begun, whatever the configuration says today
    steps = plan.before_commit(target, before, project.config)
    if target.direction == "forward" and project.tables.published() == str(target.deploy):
        try:
            pipeline.run(plan.after_switch(target, before, project.config), project, lambda: turn_back(project, target))
            return target
        except DeployFailed as error:
            project.events.notice(f"deploy {target.deploy} was interrupted and cannot be finished: {error}")
    turn_back(project, target)
    pipeline.undo(steps, project, DeployFailed(f"deploy {target.deploy} was interrupted"))
    return target


def turn_back(project: Project, target: Manifest) -> None:
    """Write down, before the first undo step, that this deploy goes back from now on, and whether it had switched."""
    target.exposed = target.exposed or project.tables.published() == str(target.deploy)
    project.tables.turn_back(target)


def find_way(project: Project) -> Manifest | None:
    """
    Where `current` leads to a table that is gone, publish the last committed one that is there, and return that.

    One whose instances all live is taken rather than a newer one. Where there is none, the next deploy is a first one.
    Raises NeedsPerson where only the table's manifest is gone, so that clients may still be served.
    """
    lost = project.tables.astray()
    if lost is None:
        return None
    states = {name: found.state for name, found in project.instances.running().items()}
    known = [table for number in reversed(project.tables.numbers()) if (table := project.tables.read(number))]
    committed = [table for table in known if table.rule.is_version]
    found = next((one for one in committed if all(states.get(name) in _LIVING for name in one.instances)), None)
    if found is None and os.path.isdir(project.paths.current):
        raise NeedsPerson(
            f"{project.paths.current}/manifest.json is gone, and no version before it runs",
            hint="nothing was stopped; `zddeploy down`, then `zddeploy up`, starts afresh",
        )
    found = found or next(iter(committed), None)
    words = f"the table in force ({lost}) is gone"
    if found is None:
        project.tables.unpublish()
        project.events.notice(f"{words}, and all before it: `zddeploy up` or `zddeploy` starts afresh")
        return None
    for name, instance in found.instances.items():
        if states.get(name) == "warm":
            project.instances.revive(instance)
    project.tables.publish(str(found.deploy))
    dead = [name for name in found.instances if states.get(name) not in _LIVING]
    more = f"; {', '.join(dead)} must be started: `zddeploy restart`" if dead else ""
    project.events.notice(f"{words}: deploy {found.deploy} serves again{more}")
    return found


def _require_way_back(project: Project, target: Manifest, before: Manifest | None) -> None:
    """Raise NeedsPerson where clients are led to a deploy that cannot be finished and has nothing to go back to."""
    if target.before is None or before is not None or project.tables.published() != str(target.deploy):
        return
    raise NeedsPerson(
        f"deploy {target.deploy} was interrupted and serves, and deploy {target.before} before it is gone",
        hint="nothing was stopped; `zddeploy down`, then `zddeploy up`, starts afresh",
    )
