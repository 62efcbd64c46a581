"""Status: what serves, what runs, and what is wrong. It only looks, and never waits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import msgspec

from zdd import history
from zdd.host import lock
from zdd.instances.state import ORPHANED, InstanceState, observe
from zdd.operate import admission, in_place, maintenance, under_way
from zdd.operate.under_way import UnderWay
from zdd.operate.use import Use, use_of
from zdd.project import Project
from zdd.routing.manifest import Instance, Manifest

_PATIENCE = 2.0  # seconds for each keeper: a person is waiting

State = Literal["nothing", "serving", "deploying", "paused", "maintenance", "degraded", "interrupted", "down"]


class InstanceStatus(msgspec.Struct):
    """One instance. `since` is as of time.time(), `exit` says how the app ended last; None means unknown."""

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
    """A service with all instances that run or should run, including old ones; `release` is what serves."""

    name: str
    release: str | None
    instances: list[InstanceStatus]


class Status(msgspec.Struct):
    """
    The project. `problems` are sentences, none if all is well; `notes` are sentences about what is not wrong.

    `running` is the command that changes the project now. `paused` has, for each paused instance, the seconds until its
    requests are released.
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


class Facts(NamedTuple):
    """The facts from which the project's state follows."""

    problems: list[str]
    interrupted: bool
    was_deployed: bool
    change: UnderWay | None
    paused: dict[str, float]
    maintenance: bool


def status(project: Project) -> Status:
    """Return the project's status now."""
    stale = project.paths.stale()
    current = None if stale else project.tables.current()
    running = {} if stale else observe(project.paths, _PATIENCE)
    unwanted = in_place.loaded(project, current, running)
    interrupted = project.tables.unfinished() is not None and not lock.is_held(project.paths.lock)
    facts = Facts(
        [*_problems(project, current, running, interrupted), *unwanted],
        interrupted,
        current is not None or any(entry.outcome == "done" for entry in history.read(project.paths.history)),
        under_way.look(project),
        {name: instance.paused for name, instance in running.items() if instance.paused is not None},
        maintenance.is_on(project),
    )
    names = list(dict.fromkeys([*project.config.services, *(instance.service for instance in running.values())]))
    use = use_of(project, running)
    serving = current.by_service() if current else {}
    return Status(
        project.name,
        str(project.config.path),
        current.deploy if current else None,
        current.release if current else None,
        _state(current, running, facts),
        facts.change,
        facts.paused,
        facts.maintenance,
        project.proxy.describe(),
        [_service(name, serving.get(name, []), running.values(), use) for name in names],
        facts.problems,
        [
            *_notes(facts),
            *([] if unwanted else in_place.warning(project, current)),
            *_how_to_start(project, current, facts.was_deployed),
            *_doubt(project, current),
        ],
    )


def _doubt(project: Project, current: Manifest | None) -> list[str]:
    """Say why R counts as current or as stale, if the boot's id cannot tell; and what cannot be told of nginx."""
    doubts = [project.paths.doubt(), project.proxy.whereabouts().doubt if current else None]
    return [doubt for doubt in doubts if doubt]


def _how_to_start(project: Project, current: Manifest | None, was_deployed: bool) -> list[str]:
    """Say what to do if nothing serves."""
    if current or _lost(project):
        return []
    if not was_deployed:
        return ["`zddeploy` deploys it for the first time"]
    release = project.releases.current() if project.releases else None
    return [f"it is down: `zddeploy up` brings {f'release {release}' if release else 'it'} back"]


def _notes(facts: Facts) -> list[str]:
    """Say what somebody has begun on purpose, and how it ends."""
    notes = [
        f"{name} is paused for {seconds:.0f} s more: its requests are held; `zddeploy resume` releases them"
        for name, seconds in facts.paused.items()
    ]
    if facts.maintenance:
        notes.append("maintenance is on, every request is answered with 503: `zddeploy maintenance off` ends it")
    if change := facts.change:
        notes.append(f"{change.who} runs `zddeploy {change.action}`, pid {change.pid}; `zddeploy watch` follows it")
    return notes


def _state(current: Manifest | None, running: dict[str, InstanceState], facts: Facts) -> State:
    """Return the project's state. A state that needs a person takes precedence over one that is on purpose."""
    if facts.interrupted:
        return "interrupted"
    if facts.change and facts.change.deploy:
        return "deploying"
    if current is None:
        return "down" if facts.problems or facts.was_deployed else "nothing"
    if current.instances and not any(name in running and running[name].answers for name in current.instances):
        return "down"
    if facts.problems:
        return "degraded"
    return "maintenance" if facts.maintenance else "paused" if facts.paused else "serving"


def _problems(
    project: Project, current: Manifest | None, running: dict[str, InstanceState], interrupted: bool
) -> list[str]:
    problems = []
    if interrupted:
        problems.append("a deploy was interrupted: the next zddeploy, or `zddeploy recover`, finishes or undoes it")
    if current is None:
        return [*problems, *_lost(project)]
    if problem := project.proxy.problem():
        problems.append(problem)
    if problem := admission.problem(project):
        problems.append(problem)
    for name in current.instances:
        instance = running.get(name)
        if instance is None or instance.state == "dead":
            problems.append(f"{name} should serve but does not run: `zddeploy restart` starts it again")
        elif instance.state == ORPHANED:
            problems.append(f"the keeper of {name} has died; its app still serves, and the next deploy replaces it")
        elif instance.state not in ("serving", "warm"):
            problems.append(_not_serving(instance))
    return problems


def _not_serving(instance: InstanceState) -> str:
    """Say what is wrong with an instance that should serve, and what happens next."""
    why = [instance.exit] if instance.exit else []
    if instance.restart_in is not None:
        why.append(f"the next start is in {instance.restart_in:.0f} s")
    reason = f" ({'; '.join(why)})" if why else ""
    if instance.state == "down":
        return (
            f"{instance.name} is DOWN: its app has not answered for hold_max, so connections are refused{reason}; "
            "zdd keeps trying to start it, and `zddeploy recover` starts another instance"
        )
    return f"{instance.name} should serve but is {instance.state}{reason}"


def _lost(project: Project) -> list[str]:
    """Say so if `current` leads nowhere: nginx then answers every request with 502."""
    lost = None if project.paths.stale() else project.tables.astray()
    problem = f"the routing table in force ({lost}) is missing, so nothing serves: `zddeploy recover` repairs it"
    return [problem] if lost else []


def _service(
    name: str, serving: list[Instance], running: Iterable[InstanceState], use: dict[str, Use]
) -> ServiceStatus:
    wanted = {instance.name for instance in serving}
    release = serving[0].release if serving else None
    rows = [
        InstanceStatus(
            instance.name,
            instance.state,
            instance.main.pid if instance.main else None,
            instance.since,
            use[instance.name].connections,
            instance.restarts,
            use[instance.name].memory_bytes,
            use[instance.name].cpu_seconds,
            instance.release,
            instance.exit,
        )
        for instance in running
        if instance.service == name and (instance.state != "dead" or instance.name in wanted)
    ]
    return ServiceStatus(name, release, rows)
