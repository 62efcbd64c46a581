"""
What a deploy will do, worked out from the configuration and what is there, without touching anything.

The plan is the manifest of the table to be; the steps follow from it and from the manifest before it. So recovery,
which finds only manifests, arrives at the same steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from zdd.conf.schema import ClassicService, Config, RunService
from zdd.deploy import steps
from zdd.deploy.steps import Step
from zdd.errors import UsageError
from zdd.switch.manifest import Instance, Kind, Manifest


class Request(NamedTuple):
    """What the user asked for: no services named means all."""

    action: str
    services: tuple[str, ...] = ()
    label: str | None = None
    release: str | None = None


class Observed(NamedTuple):
    """What is there: the table in force, and the highest numbers used so far (of instances: for each service)."""

    current: Manifest | None
    last_deploy: int
    last_instance: dict[str, int]


def manifest(config: Config, observed: Observed, request: Request, started: float) -> Manifest:
    """
    Return the manifest of the table to be.

    Named services get new instances and the others keep theirs; a service that left the configuration is left out.
    Raises UsageError for a name the configuration does not have.
    """
    _check_names(config, request.services)
    current = observed.current
    instances: dict[str, Instance] = {}
    for service in config.services.values():
        kept = current.of(service.name) if current else []
        new = not request.services or service.name in request.services
        for instance in _new(service, observed, request.release) if new else kept:
            instances[instance.name] = instance
    return Manifest(
        deploy=observed.last_deploy + 1,
        action=request.action,
        instances=instances,
        before=current.deploy if current else None,
        release=request.release,
        label=request.label,
        started=started,
    )


def before_commit(target: Manifest, before: Manifest | None) -> list[Step]:
    """Return the steps up to the commit, in order; undone in reverse, they lead back to `before`."""
    new = [instance for name, instance in target.instances.items() if not (before and name in before.instances)]
    union = union_slots(target, before)
    steps_to_switch: list[Step] = [steps.Begin(target)]
    steps_to_switch += [steps.Start(target, instance) for instance in new]
    steps_to_switch += [steps.Probe(target, [instance.name for instance in new])]
    if before is None:
        # Nothing serves yet: the slots should lead somewhere before nginx hears of them.
        steps_to_switch += [steps.Publish(target, None), steps.Proxy(target)]
    elif union:
        # nginx must never know a slot that leads nowhere: while it reloads, new slots and old ones are all there.
        steps_to_switch += [
            steps.PublishUnion(target, before, union),
            steps.Proxy(target),
            steps.Publish(target, before),
        ]
    else:
        steps_to_switch += [steps.Proxy(target), steps.Publish(target, before)]
    return [*steps_to_switch, steps.Check(target), steps.Commit(target)]


def union_slots(target: Manifest, before: Manifest | None) -> dict[str, str] | None:
    """
    Return where slots lead while nginx changes from the old set of them to the new one; None when the set stays.

    Old slots lead where they led. A slot added to a known service leads to an old instance of it, so that no new
    version answers before the switch; a new service has only new instances.
    """
    if before is None:
        return None
    old, new = before.slots(), target.slots()
    if old.keys() == new.keys():
        return None
    old_instance = {slot.partition("/")[0]: instance for slot, instance in reversed(old.items())}
    added = {
        slot: old_instance.get(slot.partition("/")[0], instance) for slot, instance in new.items() if slot not in old
    }
    return old | added


def kind_of(service: ClassicService | RunService) -> Kind:
    """Return how nginx reaches the service."""
    return "classic" if isinstance(service, ClassicService) else service.socket


def _new(service: ClassicService | RunService, observed: Observed, release: str | None) -> list[Instance]:
    last = observed.last_instance.get(service.name, 0)
    count = 1 if isinstance(service, ClassicService) else service.instances
    return [
        Instance(f"{service.name}-{last + number}", service.name, kind_of(service), release)
        for number in range(1, count + 1)
    ]


def _check_names(config: Config, names: Sequence[str]) -> None:
    for name in names:
        if name not in config.services:
            known = ", ".join(config.services)
            raise UsageError(f"{config.path} has no service {name!r}", hint=f"it has: {known}")
