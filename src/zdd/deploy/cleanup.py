"""
Clean-up after the commit: retire every instance that no slot points to, and remove old tables, logs and releases.

It is derived from the running state, so it is safe to repeat.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence

from zdd import kills
from zdd.deploy import versions
from zdd.deploy.watch import DrainWatch
from zdd.errors import ZddError, as_zdd_error
from zdd.events import Drain
from zdd.host import files, rotation
from zdd.host.process import Process
from zdd.instances.driver import Times
from zdd.instances.retirement import Retirement, retire
from zdd.instances.state import InstanceState
from zdd.operate import access_files, logs
from zdd.project import Project
from zdd.routing.manifest import Manifest

_KEPT_LOGS, _KEPT_DEPLOYS = 20, 200  # logs kept of each service's instances, and of deploys
_LOG = r"(.+)-[0-9]+\.log"
_LEAVING = ("draining", "stopping", "resting")


def clean_up(
    project: Project, keep_warm: bool = True, spare_warm: bool = False, renew: bool = False
) -> list[DrainWatch]:
    """
    Retire every instance that is not in the table in force; return watches of those that were just replaced.

    The generation that a rollback goes back to is kept warm for its services' `keep_warm`, unless `keep_warm` is off or
    the instance is broken. With `spare_warm` those that are warm are left alone. Today's times hold for all instances;
    without `renew`, those in force are known to have them.
    Tables that nginx no longer follows are removed, and snapshots that no rollback can use.
    """
    current = project.tables.current()
    if current is None:
        return []
    before = project.tables.before(current)
    names = project.instances.drivers.names()
    uncounted = _uncounted(project)
    running = project.instances.running([name for name in names if name not in current.instances])
    warm = _warm_table(project, current, before, running)
    if spare_warm:
        running = {name: instance for name, instance in running.items() if instance.state != "warm"}
    _renew_times(project, current if renew else None, running)
    replaced = before.instances if before else {}
    stays_warm = warm.instances if warm and keep_warm else {}
    watches = [
        DrainWatch(project, instance)
        for name, instance in running.items()
        if name in replaced and instance.state not in ("dead", *_LEAVING)
    ]
    _retire(project, current, list(_retiring(project, running, replaced, stays_warm)), uncounted)
    prune_logs(project, set(names))
    _prune(project, current, _kept_tables(project, current, warm))
    return watches


def _retiring(
    project: Project, running: Mapping[str, InstanceState], replaced: Collection[str], stays_warm: Collection[str]
) -> Iterator[tuple[InstanceState, float]]:
    """Yield the instances to retire, each with the seconds for which it is kept warm before."""
    for name, instance in running.items():
        if name not in stays_warm or instance.is_broken:
            yield instance, 0.0
        elif name in replaced or instance.state != "warm":  # else its time is running already
            yield instance, _warm_seconds(project, instance)


def _retire(
    project: Project,
    current: Manifest,
    instances: Sequence[tuple[InstanceState, float]],
    uncounted: Sequence[Process],
) -> None:
    """Retire these instances, each after so many seconds of being kept warm."""
    led = set(project.tables.links(current.deploy).values()) if instances else set()
    # A worker of an older text follows the slots, so only a port, or a slot that only it knows, leads here for it.
    older = {found.name for found, _ in instances if found.classic or found.port is not None or found.name in led}
    workers = project.proxy.retiring_workers() if older else []
    begun, retirements = time.time(), []
    for instance, warm in instances:
        which = [*(workers if instance.name in older else []), *uncounted]
        retirements.append(Retirement(project.instances.of(instance.name), warm, which))
    retire(retirements)
    for instance, _ in instances:
        _report_kill(project, instance, begun)


def _report_kill(project: Project, instance: InstanceState, begun: float) -> None:
    """Report that a classic instance, which its stop command had not ended, was killed: it has no keeper to do so."""
    if instance.classic and (kill := kills.of(project.paths.kills, instance.name, begun)):
        text = f"killed: {kill.reason}"
        project.events.send(Drain(subject=instance.name, service=instance.service, text=text, killed_after=kill.after))
        project.events.killed.append(instance.name)


def _prune(project: Project, current: Manifest, tables: set[int]) -> None:
    """Remove all tables but these, and the releases and snapshots that no rollback can use."""
    project.tables.prune(keep=tables)
    if project.releases and current.release:
        project.use(current.release)
        if project.releases.prune(versions.served(project), _kept_releases(project, tables)):
            project.use(current.release)  # removes the pruned releases' files from the assets
        project.unite_static(current, is_final=True)
    project.proxy.rest(current)
    project.snapshots.prune(versions.kept(project, tables))


def _uncounted(project: Project) -> list[Process]:
    """Return the nginx masters whose connections cannot be counted: as long as they run, a drain takes its time."""
    project.proxy.access()  # tells keepers which nginx it is now
    uncounted = project.proxy.whereabouts().uncounted()
    if uncounted:
        pids = " and ".join(str(nginx.pid) for nginx in uncounted)
        project.events.notice(f"connections of nginx (process {pids}) cannot be counted: drained by time; set pid_file")
    return uncounted


def try_to_clean_up(project: Project, keep_warm: bool) -> list[DrainWatch]:
    """Clean up after a commit. Only report a failure: the new version serves, and the next command tries again."""
    try:
        return clean_up(project, keep_warm)
    except (ZddError, OSError) as error:
        message = as_zdd_error(error).message
        project.events.notice(f"the clean-up failed: {message}; `zddeploy recover` tries again")
        return []


def _renew_times(project: Project, current: Manifest | None, running: Mapping[str, InstanceState]) -> None:
    """Give the instances of this table, and those that run, the times that are configured today."""
    for serving in current.instances.values() if current else ():
        if serving.kind != "classic":
            _renew(project, serving.name, serving.service)
    for name, instance in running.items():
        if not instance.classic and instance.state != "dead":
            _renew(project, name, instance.service)


def _renew(project: Project, name: str, of: str) -> None:
    """Give an instance of any version the times that are configured today."""
    if service := project.config.services.get(of):
        project.instances.of(name).renew(Times.of(service))


def _warm_seconds(project: Project, instance: InstanceState) -> float:
    service = project.config.services.get(instance.service)
    return Times.of(service).warm if service else 0.0


def _warm_table(
    project: Project, current: Manifest, before: Manifest | None, running: Mapping[str, InstanceState]
) -> Manifest | None:
    """
    Return the table whose instances are kept warm: usually the one before the current table.

    A restart replaces instances of its own version, and no rollback goes to those. So if the version before that is
    still warm, its instances stay warm, and the restarted ones do not.
    """
    older, version = before, current.origin or current.deploy
    while older and (older.origin or older.deploy) == version:
        older = project.tables.before(older)
    if older and any(name in running and running[name].state == "warm" for name in older.instances):
        return older
    return before


def _kept_releases(project: Project, kept: Collection[int]) -> set[str]:
    """Return the releases of these tables: they serve, or a rollback to the version before needs them."""
    tables = [table for number in kept if (table := project.tables.read(number))]
    return {release for table in tables for release in table.releases().values() if release}


def _kept_tables(project: Project, current: Manifest, warm: Manifest | None) -> set[int]:
    """Return the tables from the warm one, and the one before the current table, up to the current table."""
    first = min([current.deploy, *([current.before] if current.before else []), *([warm.deploy] if warm else [])])
    return {number for number in project.tables.numbers() if first <= number <= current.deploy}


def prune_logs(project: Project, running: Collection[str]) -> None:
    """
    Remove old logs of deploys and of instances that do not run, and rotate nginx's log.

    Logs that cannot be removed are left to the next deploy.
    """
    folder = project.paths.logs
    logged = {match[1] for name in os.listdir(folder) if (match := re.fullmatch(_LOG, name))}
    for service, names in logs.find(project.paths, logged).items():
        kept = _KEPT_DEPLOYS if service == "deploy" else max(_KEPT_LOGS, 5 * logs.count(project, service))
        for name in names[:-kept]:
            if name not in running:
                with contextlib.suppress(OSError):
                    files.remove(project.paths.log(name))
                    files.remove(rotation.older(project.paths.log(name)))
                    files.remove(f"{folder}/{name}.jsonl")
    rotation.rotate(project.paths.nginx_log, project.config.zdd.log_max)
    access_files.tend(project)
    kills.prune(project.paths.kills)
