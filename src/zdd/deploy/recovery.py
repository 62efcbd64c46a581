"""What becomes of a deploy that was interrupted: finished or undone, from what its manifest and the switch say."""

from __future__ import annotations

import os

from zdd.deploy import pipeline, plan
from zdd.errors import DeployFailed, NeedsPerson
from zdd.project import Project
from zdd.routing.manifest import Manifest

_LIVING = ("serving", "warm", "unkept")  # states of instances that answer


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
    steps = plan.before_commit(target, before)
    if target.direction == "forward" and project.tables.published() == str(target.deploy):
        try:
            pipeline.run(plan.after_switch(target, before), project, lambda: turn_back(project, target))
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
    committed = [table for table in known if table.committed]
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
