"""The bake: the time after the switch in which any fault of the new version switches back."""

from __future__ import annotations

from collections.abc import Iterable

from zdd.conf.schema import Config
from zdd.conf.services import Service
from zdd.instances.health import failure
from zdd.instances.health.failure import InstanceFailed
from zdd.instances.state import InstanceState
from zdd.project import Project
from zdd.routing.manifest import Instance, Manifest

_EVERY = 0.5  # seconds between looks; a probe that fails twice in a row is a fault
_TICK = 0.05  # seconds between looks at whether somebody interrupts, or a keeper has told that its app has ended


def seconds(instances: Iterable[Instance], config: Config) -> float:
    """Return for how long these instances are watched: the longest `bake` of their services."""
    return max((service.bake for service in _services(instances, config).values()), default=0.0)


def bake(project: Project, target: Manifest) -> None:
    """
    Watch the new instances for as long as their services say.

    Raises InstanceFailed for an instance that ended or restarted, or whose health request failed twice in a row, and
    Unreachable for one that nginx cannot reach.
    """
    before, begun = project.tables.before(target), project.clock.now()
    new = target.new(before)
    services, longest = _services(new, project.config), seconds(new, project.config)
    failures: dict[str, int] = {}
    passed = 0.0
    while (last_look := passed) < longest:
        for _ in project.clock.poll(_TICK, begun + min(last_look + _EVERY, longest), project.interrupts.check):
            passed = project.clock.now() - begun
            if any(project.instances.of(name).has_ended() for name in services):
                break
        for name, service in services.items():
            if last_look < service.bake:  # one look comes after the service's time is over, even if we are late
                _look(project, name, failures)
        if passed >= longest or not any(failures.values()):  # else the next look says more, and sooner
            project.proxy.check(target, before)


def _look(project: Project, name: str, failures: dict[str, int]) -> None:
    """Count the health requests that have failed in a row, for each instance. Raises InstanceFailed."""
    instance = project.instances.of(name)
    state = instance.state()
    if state.exit or state.restarts or state.state not in ("serving", "starting"):
        raise _failed(project, state, f"it ended with {state.exit or state.state}")
    problem = instance.ask_once(project.interrupts.check)
    failures[name] = failures.get(name, 0) + 1 if problem else 0
    if failures[name] > 1:
        raise _failed(project, state, f"{problem}, twice in a row")


def _failed(project: Project, instance: InstanceState, reason: str) -> InstanceFailed:
    message = f"{instance.name} failed in the bake: {reason}"
    return failure.failed(instance.service, message, project.paths.log(instance.name))


def _services(instances: Iterable[Instance], config: Config) -> dict[str, Service]:
    """Return the services with a `bake`, by the names of their instances."""
    services = {instance.name: config.services.get(instance.service) for instance in instances}
    return {name: service for name, service in services.items() if service and service.bake}
