"""The time after the switch in which a fault of the new version switches back by itself."""

from __future__ import annotations

from collections.abc import Iterable

from zdd.conf.schema import Config, RunService
from zdd.instances.health.failure import InstanceFailed, last_words
from zdd.instances.state import InstanceState
from zdd.project import Project
from zdd.routing.manifest import Instance, Manifest

_EVERY = 0.5  # seconds between looks; a probe that fails twice in a row is a fault


def seconds(instances: Iterable[Instance], config: Config) -> float:
    """Return how long these instances are watched: the longest `bake` of their services."""
    return max((service.bake for service in _services(instances, config).values()), default=0.0)


def bake(project: Project, target: Manifest) -> None:
    """
    Watch the new instances; returns when they have been faultless for long enough.

    Raises InstanceFailed for an instance that ended or was restarted, or whose health request failed twice in a row,
    and Unreachable for one that nginx does not get to.
    """
    replaced, begun = project.tables.before(target), project.clock.now()
    new = target.new(replaced)
    services, longest = _services(new, project.config), seconds(new, project.config)
    failures: dict[str, int] = {}
    passed = 0.0
    while (before := passed) < longest:
        project.clock.sleep(min(_EVERY, longest - before))
        passed = project.clock.now() - begun
        project.interrupts.check()
        for name, service in services.items():
            if before < service.bake:  # so the last look comes when its time is over, however late that is noticed
                _look(project, name, project.instances.look(name), failures)
        project.proxy.check(target, replaced)


def _look(project: Project, name: str, found: InstanceState, failures: dict[str, int]) -> None:
    if found.restarts or found.state not in ("serving", "starting"):
        raise _failed(project, found, f"it ended with {found.exit or found.state}")
    words = project.instances.ask_once(name)
    failures[name] = failures.get(name, 0) + 1 if words else 0
    if failures[name] > 1:
        raise _failed(project, found, f"{words}, twice in a row")


def _failed(project: Project, found: InstanceState, words: str) -> InstanceFailed:
    log = project.paths.log(found.name)
    return InstanceFailed(f"{found.service}: {found.name} failed in the bake: {words}", last_words(log), log)


def _services(instances: Iterable[Instance], config: Config) -> dict[str, RunService]:
    """Return the services that are baked, by the names of these instances."""
    services = {instance.name: config.services.get(instance.service) for instance in instances}
    return {name: service for name, service in services.items() if isinstance(service, RunService) and service.bake}
