"""After the commit: what nothing leads to any more is let go, worked out from what runs, so repeatable at will."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Mapping

from zdd.conf.schema import RunService
from zdd.deploy import versions
from zdd.deploy.watch import DrainWatch
from zdd.errors import ZddError, as_zdd_error
from zdd.host import files, rotation
from zdd.instances.state import InstanceState
from zdd.operate import logs
from zdd.project import Project
from zdd.routing.manifest import Manifest

_KEPT_LOGS, _KEPT_DEPLOYS = 20, 200  # logs of each service's instances, and of deploys
_LOG = re.compile(r"(.+)-[0-9]+\.log")
_GOING = ("draining", "stopping", "resting")


def clean_up(project: Project, keep_warm: bool = True) -> list[DrainWatch]:
    """
    Retire every instance that is not in the table in force; returns those that were replaced just now, to be watched.

    One generation is kept warm for its services' `keep_warm`, unless `keep_warm` is off or it is broken: the one that a
    rollback goes back to. Tables that nobody walks any more are removed, and snapshots that nothing can go back to.
    """
    current = project.tables.current()
    if current is None:
        return []
    before = project.tables.before(current)
    workers = project.proxy.retiring_workers()
    replaced = []
    running = project.instances.running()
    waiting = _waiting(project, current, before, running)
    tables = _kept_tables(project, current, waiting)
    for one in running.values():
        if one.name in current.instances:
            continue
        was_serving = before is not None and one.name in before.instances
        if was_serving and one.state not in ("dead", *_GOING):
            replaced.append(DrainWatch(project, one))
        waits = keep_warm and waiting is not None and one.name in waiting.instances and not one.is_broken
        if waits and not was_serving and one.state == "warm":
            continue  # its time runs already
        project.instances.retire(one, _warm_seconds(project, one) if waits else 0.0, workers)
    project.tables.prune(keep=tables)
    prune_logs(project, running)
    if project.releases and current.release:
        project.use(current.release)
        if project.releases.prune(_kept_releases(project, tables)):
            project.use(current.release)  # files that no release has any more go from the assets
    project.snapshots.prune(versions.kept(project, tables))
    return replaced


def try_to_clean_up(project: Project, keep_warm: bool) -> list[DrainWatch]:
    """Clean up after a commit. A failure is only told: the new version serves, and the next command tries again."""
    try:
        return clean_up(project, keep_warm)
    except (ZddError, OSError) as error:
        text = f"the clean-up failed: {as_zdd_error(error).message}; `zddeploy recover` tries again"
        project.events.notice(text)
        return []


def _warm_seconds(project: Project, running: InstanceState) -> float:
    service = project.config.services.get(running.service)
    return service.keep_warm if isinstance(service, RunService) and service.order == "start-first" else 0.0


def _waiting(
    project: Project, current: Manifest, before: Manifest | None, running: Mapping[str, InstanceState]
) -> Manifest | None:
    """
    Return the table whose instances are kept warm: that of before, as a rule.

    A restart replaces instances of its own version, to which no rollback goes. So where the version before that is
    still warm, that one stays, and what was restarted does not.
    """
    older, version = before, current.origin or current.deploy
    while older and (older.origin or older.deploy) == version:
        older = project.tables.before(older)
    if older and any(name in running and running[name].state == "warm" for name in older.instances):
        return older
    return before


def _kept_releases(project: Project, kept: Collection[int]) -> set[str]:
    """Return the releases that run or that a rollback of one step needs."""
    tables = [table for number in kept if (table := project.tables.read(number))]
    return {one.release for table in tables for one in table.instances.values() if one.release}


def _kept_tables(project: Project, current: Manifest, waiting: Manifest | None) -> set[int]:
    """Return the tables from the one that waits to the one that serves."""
    first = min([current.deploy, *([current.before] if current.before else []), *([waiting.deploy] if waiting else [])])
    return {number for number in project.tables.numbers() if first <= number <= current.deploy}


def prune_logs(project: Project, running: Collection[str]) -> None:
    """
    Remove old logs of deploys, and of instances that are not among those `running`; rotate nginx's.

    What cannot be done is left to the next deploy.
    """
    folder = project.paths.logs
    logged = {found[1] for name in os.listdir(folder) if (found := _LOG.fullmatch(name))}
    for service, names in logs.find(project.paths, logged).items():
        kept = _KEPT_DEPLOYS if service == "deploy" else max(_KEPT_LOGS, 5 * logs.count(project, service))
        for name in names[:-kept]:
            if name not in running:
                with contextlib.suppress(OSError):
                    files.remove(project.paths.log(name))
                    files.remove(rotation.older(project.paths.log(name)))
                    files.remove(f"{folder}/{name}.jsonl")
    rotation.rotate(f"{folder}/nginx.log", project.config.zdd.log_max)
