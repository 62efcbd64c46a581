"""Status: what serves, what runs, and what is wrong. It only looks, and never waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from zdd import history, kills, living
from zdd.host import clock, lock, usage
from zdd.instances.state import InstanceState, observe
from zdd.nginx.certificates.state import CertificateState
from zdd.operate import in_place, maintenance, under_way
from zdd.operate.connected import connections, obstacle
from zdd.operate.problems import problems
from zdd.operate.under_way import UnderWay
from zdd.project import Project
from zdd.routing.manifest import Manifest

_PATIENCE = 2.0  # seconds for each keeper: a person is waiting

State = Literal["nothing", "serving", "deploying", "paused", "maintenance", "degraded", "interrupted", "down"]


class InstanceStatus(msgspec.Struct):
    """
    One instance. `since` is as of time.time(), `exit` says how the app ended last; None means unknown.

    Memory and CPU time are of its process tree, connections of our network namespace.
    """

    id: str
    state: str
    pid: int | None
    since: float | None
    connections: int | None
    restarts: int
    memory_bytes: int | None
    cpu_seconds: float | None
    release: str | None
    exit: str | None


class ServiceStatus(msgspec.Struct):
    """
    A service with all instances that run or should run, including old ones; `release` is what serves.

    A static service has no instance.
    """

    name: str
    release: str | None
    instances: list[InstanceStatus]


class Status(msgspec.Struct):
    """
    The project. `problems` are sentences, none if all is well; `notes` are sentences about what is not wrong.

    `running` is the command that changes the project now. `paused` has, for each paused instance, the seconds until its
    requests are released. `certificates` are those of an nginx of ours.
    """

    project: str
    conf: str
    deploy: int | None
    release: str | None
    state: State
    running: UnderWay | None
    paused: dict[str, float]
    maintenance: bool
    nginx: dict[str, Any]
    services: list[ServiceStatus]
    problems: list[str]
    notes: list[str]
    certificates: list[CertificateState]


def status(project: Project) -> Status:
    """Return the project's status now."""
    stale = living.is_stale(project.paths)
    current = None if stale else project.tables.current()
    running = {} if stale else observe(project.paths, _PATIENCE)
    unwanted = list(in_place.loaded(project, current, running))
    interrupted = project.tables.unfinished() is not None and not lock.is_held(project.paths.lock)
    deploys = history.known(project.paths.history)
    was_deployed = current is not None or any(entry.outcome == "done" for entry in deploys)
    certified, unrenewed = _certified(project)
    now = Status(
        project.name,
        str(project.config.path),
        current.deploy if current else None,
        current.release if current else None,
        "serving",
        under_way.look(project),
        {name: instance.paused for name, instance in running.items() if instance.paused is not None},
        maintenance.is_on(project),
        project.proxy.describe(),
        _services(project, current, running),
        [*problems(project, current, running, interrupted), *unwanted],
        [],
        certified,
    )
    now.problems += [each.problem for each in now.certificates if each.problem and current]
    now.state = _state(now, current, running, interrupted, was_deployed)
    now.notes += _notes(now)
    now.notes += unrenewed if current else []
    now.notes += [] if unwanted else in_place.warning(project, current)
    last = next(history.known(project.paths.history), None)
    now.notes += kills.shortened(kills.since_last(kills.read(project.paths.kills), last))
    now.notes += [] if now.problems else _how_to_start(project, current, was_deployed)
    now.notes += filter(None, [living.doubt(project.paths), project.proxy.whereabouts().doubt if current else None])
    is_shown = any(each.connections is not None for service in now.services for each in service.instances)
    if not is_shown and (hidden := obstacle()):
        now.notes.append(f"connections are unknown: {hidden.strerror}; {hidden.cure}")
    return now


def _certified(project: Project) -> tuple[list[CertificateState], list[str]]:
    """Return the certificates, and notes on those that could not be renewed."""
    if not project.config.nginx.is_tls:
        return [], []
    from zdd.operate import certificates  # here, because without HTTPS there are none

    return [*certificates.look(project)], certificates.notes(project)


def _how_to_start(project: Project, current: Manifest | None, was_deployed: bool) -> list[str]:
    """Say what to do if nothing serves."""
    if current:
        return []
    if not was_deployed:
        return ["`zddeploy` deploys it for the first time"]
    release = project.releases.current() if project.releases else None
    return [f"it is down: `zddeploy up` brings {f'release {release}' if release else 'it'} back"]


def _notes(now: Status) -> Iterator[str]:
    """Say what somebody has begun on purpose, and how it ends."""
    for name, seconds in now.paused.items():
        yield f"{name} is paused for {seconds:.0f} s more: its requests are held; `zddeploy resume` releases them"
    if now.maintenance:
        yield "maintenance is on, every request is answered with 503: `zddeploy maintenance off` ends it"
    yield from (each.warning for each in now.certificates if each.warning and now.deploy)
    if change := now.running:
        yield f"{change.who} runs `zddeploy {change.action}`, pid {change.pid}; `zddeploy watch` follows it"


def _state(
    now: Status, current: Manifest | None, running: dict[str, InstanceState], interrupted: bool, was_deployed: bool
) -> State:
    """Return the project's state. A state that needs a person takes precedence over one that is on purpose."""
    if interrupted:
        return "interrupted"
    if now.running and now.running.deploy:
        return "deploying"
    if current is None:
        return "down" if now.problems or was_deployed else "nothing"
    if current.instances and not any(name in running and running[name].answers for name in current.instances):
        return "down"
    if now.problems:
        return "degraded"
    return "maintenance" if now.maintenance else "paused" if now.paused else "serving"


def _services(project: Project, current: Manifest | None, running: dict[str, InstanceState]) -> list[ServiceStatus]:
    """Return the services that are configured or run, with their instances."""
    releases = current.releases() if current else {}
    services = {
        name: ServiceStatus(name, releases.get(name), [])
        for name in [*project.config.services, *(instance.service for instance in running.values())]
    }
    used = usage.use_of_trees([instance.main.pid for instance in running.values() if instance.main])
    connected, boot = connections(project, running), clock.boot_time()
    for name, instance in running.items():
        if instance.state == "dead" and not (current and name in current.instances):
            continue
        pid = instance.main.pid if instance.main else None
        memory, cpu = used.get(pid, (None, None)) if pid else (None, None)
        row = InstanceStatus(
            name,
            instance.state,
            pid,
            # What the keeper noted is a time of the clock as it was then; somebody may have set it meanwhile.
            instance.main.started(boot) if instance.main else instance.since,
            connected[name],
            instance.restarts,
            memory,
            cpu,
            instance.release,
            instance.exit,
        )
        services[instance.service].instances.append(row)
    return list(services.values())
