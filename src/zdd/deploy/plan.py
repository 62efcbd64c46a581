"""
The plan of a deploy, made from the configuration and the observed state, without touching anything.

The plan is the manifest of the new table; the steps follow from it and from the manifest before it. So recovery, which
has only the manifests, arrives at the same steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

from zdd.conf.schema import Config
from zdd.conf.services import ClassicService, RunService, StaticService
from zdd.deploy import bake, static_step, steps
from zdd.deploy.retiring import Retiring
from zdd.deploy.steps import Step
from zdd.instances.name import name_of
from zdd.routing.manifest import Instance, Manifest, StaticFolder, is_static

if TYPE_CHECKING:
    from zdd.snapshot import Snapshot


class Request(Struct, frozen=True):
    """
    What a command asks for. No `services` means all.

    `revive` has the instances that a service gets instead of new ones: they still serve, or are warm.
    `releases` has the release of each service's new instances, if it is not `release`. `origin` is the deploy whose
    version starts again, `snapshot` what that deploy started from, if known. `where` says where a rollback goes.
    """

    action: str
    services: tuple[str, ...] = ()
    label: str | None = None
    release: str | None = None
    commit: str | None = None
    origin: int | None = None
    revive: Mapping[str, list[Instance]] = MappingProxyType({})
    releases: Mapping[str, str | None] = MappingProxyType({})
    snapshot: Snapshot | None = None
    where: str = ""


class Observed(Struct, frozen=True):
    """The observed state: the table in force, the last deploy's number, and each service's last instance number."""

    current: Manifest | None
    last_deploy: int
    last_instance: dict[str, int]


def manifest(config: Config, observed: Observed, request: Request, started: float) -> Manifest:
    """
    Return the manifest of the new table.

    Named services get new instances and the others keep theirs; services that have left the configuration are omitted.
    Raises UsageError for an unknown name.
    """
    config.check_names(request.services)
    current = observed.current
    serves = current.by_service() if current else {}
    instances: dict[str, Instance] = {}
    for service in config.services.values():
        if isinstance(service, StaticService):
            continue
        if service.name in request.revive:
            chosen = request.revive[service.name]
        elif request.services and service.name not in request.services:
            chosen = serves.get(service.name, [])
        else:
            release = request.releases.get(service.name, request.release)
            replaces = any(old.kind != "classic" for old in serves.get(service.name, []))
            chosen = _new(service, observed.last_instance.get(service.name, 0), release, replaces)
        instances |= {instance.name: instance for instance in chosen}
    serving = current.instances if current else {}
    return Manifest(
        deploy=observed.last_deploy + 1,
        action=request.action,
        instances=instances,
        before=current.deploy if current else None,
        release=request.release,
        commit=request.commit,
        label=request.label,
        started=started,
        origin=request.origin,
        static=_static(config, current, request),
        revived=[old.name for chosen in request.revive.values() for old in chosen if old.name not in serving],
    )


def _static(config: Config, current: Manifest | None, request: Request) -> dict[str, StaticFolder]:
    """Return the folders of the static services: those that are not named keep theirs."""
    folders: dict[str, StaticFolder] = {}
    for name, service in config.static.items():
        release = request.releases.get(name, request.release)
        if request.services and name not in request.services:
            folders |= {name: current.static[name]} if current and name in current.static else {}
        elif release:
            folders[name] = StaticFolder(release, service.static)
    return folders


def before_commit(target: Manifest, before: Manifest | None, config: Config) -> list[Step]:
    """Return the steps up to the commit, in order. Undone in reverse, they restore `before`."""
    new = target.new(before)
    proved = [instance.name for instance in new if not instance.stop_first] + target.revived
    preparing: list[Step] = [steps.begin(target)]
    if target.action == "deploy":
        preparing += [steps.build(target)] if target.release else []
        preparing += [steps.before_start(target, commands)] if (commands := _before_start(new, config)) else []
    old, retiring = _displaced(target, before), Retiring(target)
    preparing += [steps.start(target, instance, old.get(instance.service, []), retiring) for instance in new]
    preparing += [steps.revive(target, name) for name in target.revived]
    union = union_slots(target, before)
    back = [*([steps.union_name(target)] if union else []), str(before.deploy)] if before else []
    preparing += [static_step.look(target)] if target.static else []
    preparing += [steps.prepare(target, back, union), steps.probe(target, proved, back)]
    last = [steps.check(target)]
    last += [steps.after_switch(target, config.zdd.after_switch)] if config.zdd.after_switch else []
    return [*preparing, *_switch(target, before, union), *_swaps(target, before), *last, *_last(target, new, config)]


def _displaced(target: Manifest, before: Manifest | None) -> dict[str, list[str]]:
    """Return the old instances that stop-first services replace, by service."""
    old: dict[str, list[str]] = {}
    for instance in target.displaced(before):
        old.setdefault(instance.service, []).append(instance.name)
    return old


def after_switch(target: Manifest, before: Manifest | None, config: Config) -> list[Step]:
    """Return the remaining steps of a deploy that was interrupted after its switch."""
    return [
        steps.swapped(target.swapped(before)),
        steps.check(target, restarts=True),
        *_last(target, target.new(before), config),
    ]


def _before_start(new: Sequence[Instance], config: Config) -> str:
    """Return the commands to run before the new version starts; a stop-first service runs its own in the swap."""
    start_first = {instance.service for instance in new if not instance.stop_first}
    commands = [f"`{config.zdd.before_start}`"] if config.zdd.before_start else []
    for name, service in config.services.items():
        if name in start_first and service.before_start:
            commands.append(f"{name} `{service.before_start}`")
    return ", ".join(commands)


def _swaps(target: Manifest, before: Manifest | None) -> list[Step]:
    """
    Return the swaps of the stop-first services. Their slots already point to the sockets where requests wait.

    Workers come last, so that no request waits until a worker has finished its job.
    """
    new, old = target.swapped(before), target.displaced(before)
    swaps = []
    for has_requests in (True, False):
        if starting := [instance for instance in new if (instance.kind != "none") == has_requests]:
            services = {instance.service for instance in starting}
            swaps.append(steps.swap(target, [instance for instance in old if instance.service in services], starting))
    return swaps


def _switch(target: Manifest, before: Manifest | None, union: dict[str, str] | None) -> list[Step]:
    if before is None:
        # Nothing serves yet: the slots must lead somewhere before nginx learns of them.
        return [steps.publish(target, None), steps.proxy(target)]
    if union is None:
        return [steps.proxy(target), steps.publish(target, str(before.deploy))]
    # nginx must never know a slot that leads nowhere: while it reloads, both old and new slots exist.
    return [
        steps.publish_union(target, before, union),
        steps.proxy(target),
        steps.publish(target, steps.union_name(target)),
    ]


def _last(target: Manifest, new: Sequence[Instance], config: Config) -> list[Step]:
    seconds = bake.seconds(new, config)
    return [*([steps.bake(target, seconds)] if seconds else []), steps.commit(target)]


def union_slots(target: Manifest, before: Manifest | None) -> dict[str, str] | None:
    """
    Return where the slots lead while nginx changes from the old set to the new one; None if the set stays the same.

    Old slots stay as they are. A new slot of a known service leads to one of its old instances, so that the new version
    does not answer before the switch; a new service has only new instances, and so has one that was static, or is now.
    """
    if before is None:
        return None
    old, new = before.slots(), target.slots()
    if old.keys() == new.keys():
        return None
    known = {slot.partition("/")[0]: instance for slot, instance in reversed(old.items()) if not is_static(slot)}
    return old | {
        slot: instance if is_static(slot) else known.get(slot.partition("/")[0], instance)
        for slot, instance in new.items()
        if slot not in old
    }


def _new(service: RunService | ClassicService, last: int, release: str | None, replaces: bool) -> list[Instance]:
    stop_first = replaces and service.order == "stop-first"
    return [
        Instance(name_of(service.name, last + number), service.name, service.kind, release, stop_first=stop_first)
        for number in range(1, service.instances + 1)
    ]
