"""What serves, what runs, and what is wrong; looks only, and never waits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import msgspec

from zdd import history
from zdd.host import lock, sock_diag, usage
from zdd.instances.state import InstanceState, observe
from zdd.operate import in_place, maintenance, under_way
from zdd.operate.under_way import UnderWay
from zdd.project import Project
from zdd.routing.manifest import Instance, Manifest

_PATIENCE = 2.0  # seconds for each keeper: somebody looks on

State = Literal["nothing", "serving", "deploying", "paused", "maintenance", "degraded", "interrupted", "down"]


class InstanceStatus(msgspec.Struct):
    """One instance; `since` in seconds of time.time(), `exit` how its app ended last; None for what is not known."""

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
    """A service with all instances that run or should, old ones included; `release` is what serves."""

    name: str
    release: str | None
    instances: list[InstanceStatus]


class Status(msgspec.Struct):
    """
    The project; `problems` are sentences, empty when all is well; `notes` are worth knowing, but not wrong.

    `running` is the command that changes it now; `paused` has, for each paused instance, the seconds for which its
    requests wait at most.
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


class Use(NamedTuple):
    """What an instance has: memory and CPU time with all processes below it, connections in our network namespace."""

    memory_bytes: int | None
    cpu_seconds: float | None
    connections: int | None


class Facts(NamedTuple):
    """What the state of the project follows from."""

    problems: list[str]
    interrupted: bool
    was_deployed: bool
    change: UnderWay | None
    paused: dict[str, float]
    maintenance: bool


def status(project: Project) -> Status:
    """Look at everything once."""
    stale = project.paths.stale()
    current = None if stale else project.tables.current()
    running = {} if stale else observe(project.paths, _PATIENCE)
    unwanted = in_place.loaded(project, current, running)
    found = Facts(
        [*_problems(project, current, running), *unwanted],
        _interrupted(project),
        any(entry.outcome == "done" for entry in history.read(project.paths.history)),
        under_way.look(project),
        {name: instance.paused for name, instance in running.items() if instance.paused is not None},
        maintenance.is_on(project),
    )
    names = list(dict.fromkeys([*project.config.services, *(found.service for found in running.values())]))
    use = _use(project, running)
    serving = current.by_service() if current else {}
    by_service = _by_service(running.values())
    return Status(
        project.name,
        str(project.config.path),
        current.deploy if current else None,
        current.release if current else None,
        _state(current, running, found),
        found.change,
        found.paused,
        found.maintenance,
        project.proxy.describe(),
        [_service(name, serving.get(name, []), by_service.get(name, []), use) for name in names],
        found.problems,
        [
            *_waiting(found),
            *([] if unwanted else in_place.warning(project, current)),
            *_way_up(project, current, found.was_deployed),
            *_doubt(project),
        ],
    )


def _doubt(project: Project) -> list[str]:
    """Say why what R holds is believed, or not, where the boot's id does not tell."""
    doubt = project.paths.doubt()
    return [doubt] if doubt else []


def _way_up(project: Project, current: Manifest | None, was_deployed: bool) -> list[str]:
    """Say what to do where nothing serves."""
    if current or _lost(project):
        return []
    if not was_deployed:
        return ["`zddeploy` deploys it for the first time"]
    release = project.releases.current() if project.releases else None
    return [f"it is down: `zddeploy up` brings {f'release {release}' if release else 'it'} back"]


def _waiting(found: Facts) -> list[str]:
    """Say what somebody has begun on purpose, and how it ends."""
    notes = [
        f"{name} is paused, for {seconds:.0f} s more: its requests wait; `zddeploy resume` lets them in"
        for name, seconds in found.paused.items()
    ]
    if found.maintenance:
        notes.append("maintenance is on, everything is answered 503: `zddeploy maintenance off` ends it")
    if change := found.change:
        notes.append(f"{change.who} runs `zddeploy {change.action}`, pid {change.pid}; `zddeploy watch` follows it")
    return notes


def _state(current: Manifest | None, running: dict[str, InstanceState], found: Facts) -> State:
    """Return the project's one state: what a person must act on goes before what somebody does on purpose."""
    if found.interrupted:
        return "interrupted"
    if found.change and found.change.deploy:
        return "deploying"
    if current is None:
        return "down" if found.problems or found.was_deployed else "nothing"
    if current.instances and not any(name in running and _answers(running[name]) for name in current.instances):
        return "down"
    if found.problems:
        return "degraded"
    return "maintenance" if found.maintenance else "paused" if found.paused else "serving"


def _answers(instance: InstanceState) -> bool:
    return instance.state in ("serving", "warm", "unkept")


def _interrupted(project: Project) -> bool:
    return project.tables.unfinished() is not None and not lock.is_held(project.paths.lock)


def _problems(project: Project, current: Manifest | None, running: dict[str, InstanceState]) -> list[str]:
    problems = []
    if _interrupted(project):
        problems.append("a deploy was interrupted: the next zddeploy, or `zddeploy recover`, finishes or undoes it")
    if current is None:
        return [*problems, *_lost(project)]
    if problem := project.proxy.problem():
        problems.append(problem)
    for name in current.instances:
        found = running.get(name)
        if found is None or found.state == "dead":
            problems.append(f"{name} should serve and does not run: `zddeploy restart` starts it anew")
        elif found.state == "unkept":
            problems.append(f"the keeper of {name} has died; the app serves on: the next deploy replaces it")
        elif found.state not in ("serving", "warm"):
            problems.append(_not_serving(found))
    return problems


def _not_serving(found: InstanceState) -> str:
    """Say what is wrong with an instance that should serve, and what happens next."""
    why = [found.exit] if found.exit else []
    if found.restart_in is not None:
        why.append(f"the next start is in {found.restart_in:.0f} s")
    reason = f" ({'; '.join(why)})" if why else ""
    if found.state == "down":
        return (
            f"{found.name} is DOWN: its app has not answered for hold_max, so connections are refused{reason}; "
            "zdd goes on starting it, and `zddeploy recover` starts another instance"
        )
    return f"{found.name} should serve and is {found.state}{reason}"


def _lost(project: Project) -> list[str]:
    """Say so where `current` leads nowhere: nginx then answers every request with 502."""
    lost = None if project.paths.stale() else project.tables.astray()
    return [f"the table in force ({lost}) is gone, so nothing serves: `zddeploy recover` mends it"] if lost else []


def _by_service(instances: Iterable[InstanceState]) -> dict[str, list[InstanceState]]:
    """Return the instances of each service, in their order."""
    found: dict[str, list[InstanceState]] = {}
    for instance in instances:
        found.setdefault(instance.service, []).append(instance)
    return found


def _service(name: str, serving: list[Instance], running: list[InstanceState], use: dict[str, Use]) -> ServiceStatus:
    wanted = {instance.name for instance in serving}
    release = serving[0].release if serving else None
    rows = [
        InstanceStatus(
            found.name,
            found.state,
            found.main.pid if found.main else None,
            found.since,
            use[found.name].connections,
            found.restarts,
            use[found.name].memory_bytes,
            use[found.name].cpu_seconds,
            found.release,
            found.exit,
        )
        for found in running
        if found.state != "dead" or found.name in wanted
    ]
    return ServiceStatus(name, release, rows)


def _use(project: Project, running: dict[str, InstanceState]) -> dict[str, Use]:
    """Return what each instance has: one scan of processes and sockets for all of them."""
    used = usage.use_of_trees([found.main.pid for found in running.values() if found.main])
    counts = sock_diag.connections_to_files()
    use = {}
    for name, found in running.items():
        file = sock_diag.file_of(project.paths.keep(name))
        to_file = counts.get(file) if file else None
        connections = sock_diag.connections_to_port(found.port) if found.port else to_file
        memory, cpu = used.get(found.main.pid, (None, None)) if found.main else (None, None)
        use[name] = Use(memory, cpu, connections)
    return use
