"""Recovery: finish or undo an interrupted deploy, as its manifest and the table in force say."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

from zdd.deploy import cleanup, pipeline, plan
from zdd.deploy.outcome import write_history
from zdd.errors import DeployFailed, NeedsPerson, ZddError, as_zdd_error
from zdd.project import Project
from zdd.routing.manifest import Manifest


@contextlib.contextmanager
def changing(project: Project, command: str, spare_warm: bool = False) -> Iterator[Manifest | None]:
    """
    Hold the project's lock, and first finish or undo an interrupted deploy; yield what `finish_interrupted` returns.

    With `spare_warm` no warm instance ends for a `keep_warm` that has become shorter: the command may need it.
    Raises Locked, and what `finish_interrupted` raises.
    """
    with project.locked(command):
        yield finish_interrupted(project, spare_warm)


def try_to_finish(project: Project) -> None:
    """Finish or undo an interrupted deploy. Only report a failure, which must not prevent `down`, for example."""
    try:
        finish_interrupted(project)
    except (ZddError, OSError) as error:
        what = "the clean-up failed"
        with contextlib.suppress(NeedsPerson):  # a manifest that is damaged is the error already
            if project.tables.unfinished():
                what = "the interrupted deploy can be neither finished nor undone"
        project.events.notice(f"{what}: {as_zdd_error(error).message}")


def finish_interrupted(project: Project, spare_warm: bool = False) -> Manifest | None:
    """
    Recover an interrupted deploy or a lost table, and clean up; return its manifest, None if there was none.

    Raises NeedsPerson if that is impossible without stopping what serves.
    """
    recovered = recover(project)
    if recovered:
        project.tables.confirm()
        done = recovered.is_version
        outcome, end, cause = ("done", "finished", None) if done else ("undone", "undone", "interrupted")
        project.events.notice(f"deploy {recovered.deploy} was interrupted; it is {end} now")
        since = max(0.0, time.time() - recovered.started)  # another process began it; the clock may have been set back
        write_history(project, recovered, outcome, since, cause)
    restored = restore_lost_table(project)
    if project.releases:
        project.releases.discard_half_built()
    cleanup.clean_up(project, spare_warm=spare_warm, renew=True)
    return recovered or restored


def recover(project: Project) -> Manifest | None:
    """
    Finish or undo an interrupted deploy; return its manifest, None if there was none.

    If the deploy had switched and was not going back, only its last checks are missing: they run now, and the deploy is
    committed. Every other deploy is undone. A recovery may be interrupted and repeated.
    Raises NeedsPerson if the deploy serves and the table before it is missing.
    """
    target = project.tables.unfinished()
    if target is None:
        return None
    before = project.tables.before(target)
    if target.before is not None and before is None and project.tables.published() == str(target.deploy):
        raise NeedsPerson(
            f"deploy {target.deploy} was interrupted and serves, and deploy {target.before} before it is missing",
            hint="nothing was stopped; `zddeploy down`, then `zddeploy up`, starts afresh",
        )
    project = project.as_of(project.snapshots.read(target.deploy))  # with the configuration that the deploy began with
    steps = plan.before_commit(target, before, project.config)
    if target.direction == "forward" and project.tables.published() == str(target.deploy):
        try:
            pipeline.run(
                plan.after_switch(target, before, project.config), project, lambda _: turn_back(project, target)
            )
            return target
        except DeployFailed as error:
            project.events.notice(f"deploy {target.deploy} was interrupted and cannot be finished: {error}")
    turn_back(project, target)
    with project.interrupts.held():
        pipeline.undo(steps, project, DeployFailed(f"deploy {target.deploy} was interrupted"))
    return target


def turn_back(project: Project, target: Manifest) -> None:
    """Record, before the first undo step, that this deploy goes back, and whether it had switched."""
    target.exposed = target.exposed or project.tables.published() == str(target.deploy)
    project.tables.turn_back(target)


def restore_lost_table(project: Project) -> Manifest | None:
    """
    If `current` points to a missing table, publish the last committed table that still exists, and return it.

    A table whose instances all live is preferred to a newer one. If no table is left, the next deploy is a first one.
    Raises NeedsPerson if only the table's manifest is missing, since clients may still be served.
    """
    lost = project.tables.astray()
    if lost is None:
        return None
    running = project.instances.running()
    answering = {name for name, instance in running.items() if instance.answers}
    known = [table for number in reversed(project.tables.numbers()) if (table := project.tables.read(number))]
    committed = [table for table in known if table.is_version]
    chosen = next((table for table in committed if answering.issuperset(table.instances)), None)
    if chosen is None and os.path.isdir(project.paths.current):
        raise NeedsPerson(
            f"{project.paths.current}/manifest.json is missing, and no earlier version is running",
            hint="nothing was stopped; `zddeploy down`, then `zddeploy up`, starts afresh",
        )
    chosen = chosen or next(iter(committed), None)
    problem = f"the routing table in force ({lost}) is missing"
    if chosen is None:
        project.tables.unpublish()
        project.events.notice(f"{problem}, and so are all earlier ones: `zddeploy up` or `zddeploy` starts afresh")
        return None
    for name, instance in chosen.instances.items():
        if name in running and running[name].state == "warm":
            project.instances.revive(instance)
    project.tables.publish(str(chosen.deploy))
    dead = [name for name in chosen.instances if name not in answering]
    more = f"; {', '.join(dead)} must be started: `zddeploy restart`" if dead else ""
    project.events.notice(f"{problem}: deploy {chosen.deploy} serves again{more}")
    return chosen
