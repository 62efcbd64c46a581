"""
Stop-first: the old version stops, then the new one starts, while requests wait; two versions never run at once.

The keepers carry it out, one operation at a time. Every operation is idempotent, so a recovery can repeat all of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from msgspec import UNSET

from zdd import kills
from zdd.deploy import hooks
from zdd.errors import DeployFailed, NeedsPerson, counted
from zdd.events import Drain, Notice
from zdd.instances.name import service_of
from zdd.instances.state import ORPHANED
from zdd.project import Project
from zdd.routing.manifest import Instance, Manifest

_SHARE = 0.5  # the part of hold_max in which the old version may finish its requests
_POLL = 0.05  # seconds


def forward(project: Project, target: Manifest, old: Sequence[Instance], new: Sequence[Instance]) -> None:
    """
    Stop the old instances and start the new ones.

    Raises DeployFailed if the new ones are not healthy before requests have waited for hold_max.
    """
    longest = hold_max(project, new)
    until = project.clock.now() + longest
    _warn_of_long_lived(project, old)
    _park(project, old, longest * _SHARE, fallback=True)
    if project.clock.now() >= until:
        names = ", ".join(instance.name for instance in old)
        raise DeployFailed(f"{names} took longer to stop than requests may wait (hold_max {longest:g} s)")
    hooks.before_start_of(project, target, {instance.service for instance in new}, until - project.clock.now())
    project.instances.unpark(new)
    project.instances.await_healthy([instance.name for instance in new], until)


def back(project: Project, old: Sequence[Instance], new: Sequence[Instance]) -> None:
    """Start the old instances again. Raises DeployFailed if one cannot start, NeedsPerson if a new one still runs."""
    _report_going_back(project, old, new)
    try:
        _park(project, new, hold_max(project, new) * _SHARE, fallback=False)
    except DeployFailed as error:
        raise NeedsPerson(error.message) from error
    stopped = [instance for instance in old if project.instances.look(instance.name).state not in ("serving", ORPHANED)]
    project.instances.unpark(stopped)
    project.instances.await_healthy([instance.name for instance in stopped])


def await_unattended(project: Project, new: Sequence[Instance]) -> None:
    """
    Wait until the keepers of an interrupted deploy have finished starting these instances.

    Raises DeployFailed if they have gone back to the old version.
    """
    until = project.clock.now() + hold_max(project, new) + _longest_start(project, new)
    for instance in new:
        for _ in project.clock.poll(_POLL, until, project.interrupts.check):
            if (state := project.instances.look(instance.name).state) != "starting":
                break
        if state != "serving":
            raise DeployFailed(f"{instance.name} did not become healthy")


def hold_max(project: Project, instances: Sequence[Instance]) -> float:
    """Return the seconds for which these services' requests may wait; infinite for workers, which have none."""
    services = [project.config.services.get(instance.service) for instance in instances if instance.has_slot]
    return min((service.hold_max for service in services if service), default=math.inf)


def _warn_of_long_lived(project: Project, old: Sequence[Instance]) -> None:
    """Warn that connections which may never end will be cut, since requests wait until the old version has stopped."""
    for instance in old:
        if number := project.instances.of(instance.name).long_lived():
            connections = f"{counted(number, 'connection')} open for 10 s or longer, such as WebSockets"
            text = f"{instance.name}: {connections}: cut after 2 s, since requests wait for the old version to stop"
            project.events.send(Notice(service=instance.service, instance=instance.name, text=text))


def _report_going_back(project: Project, old: Sequence[Instance], new: Sequence[Instance]) -> None:
    """Report what the undo waits for, if the old version does not serve: two versions never run at once."""
    stopped = [each.name for each in old if project.instances.look(each.name).state not in ("serving", ORPHANED)]
    if stopped:
        first, then = ", ".join(each.name for each in new), ", ".join(stopped)
        seconds = max((project.instances.of(each.name).ends_within() for each in new), default=0.0)
        text = f"going back: {first} must end first (killed within {seconds:g} s), then {then} starts again"
        project.events.notice(f"{text}; requests wait meanwhile" if any(each.has_slot for each in old) else text)


def _longest_start(project: Project, instances: Sequence[Instance]) -> float:
    services = [project.config.services.get(instance.service) for instance in instances]
    return max((service.start_timeout for service in services if service), default=0.0)


def _park(project: Project, instances: Sequence[Instance], at_most: float, fallback: bool) -> None:
    """Drain and stop these apps, all at once, and report the connections that were cut, and what was killed."""
    begun = time.time()
    for name, cut in project.instances.park([instance.name for instance in instances], at_most, fallback).items():
        text = f"stopped; {counted(cut, 'connection')} cut" if cut else "stopped"
        kill = kills.of(project.paths.kills, name, begun)
        if kill:
            text += f"; killed: {kill.reason}"
            project.events.killed.append(name)
        after = kill.after if kill else UNSET
        project.events.send(Drain(subject=name, service=service_of(name), text=text, cut=cut, killed_after=after))
        project.events.cut += cut
