"""
Stop-first: the old version stops, the new one starts, and requests wait in between; two versions never run at once.

The instances' keepers do it, one operation at a time. Whoever is told twice does it once, so all of this bears being
repeated, also by a recovery.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from zdd.conf.schema import RunService
from zdd.deploy import hooks
from zdd.errors import DeployFailed, NeedsPerson, counted
from zdd.events import Drain, Notice
from zdd.project import Project
from zdd.routing.manifest import Instance, Manifest

_SHARE = 0.5  # of the time that requests may wait: at most so much of it is the old version's, to finish what it has


def forward(project: Project, target: Manifest, old: Sequence[Instance], new: Sequence[Instance]) -> None:
    """
    Have the new instances take over from the old ones.

    Raises DeployFailed when they are not healthy by the time for which requests may wait.
    """
    longest = hold_max(project, new)
    until = project.clock.now() + longest
    _tell_of_long_lived(project, old)
    _rest(project, old, longest * _SHARE, way_back=True)
    if project.clock.now() >= until:
        names = ", ".join(one.name for one in old)
        raise DeployFailed(f"{names} took longer to stop than requests may wait (hold_max {longest:g} s)")
    hooks.before_start_of(project, target, {one.service for one in new}, until - project.clock.now())
    project.instances.take_up(new)
    project.instances.await_healthy([one.name for one in new], until)


def back(project: Project, old: Sequence[Instance], new: Sequence[Instance]) -> None:
    """Have the old instances serve again. Raises DeployFailed when one cannot, NeedsPerson while a new one runs on."""
    try:
        _rest(project, new, hold_max(project, new) * _SHARE, way_back=False)
    except DeployFailed as error:
        raise NeedsPerson(error.message) from error
    resting = [one for one in old if project.instances.look(one.name).state not in ("serving", "unkept")]
    project.instances.take_up(resting)
    project.instances.await_healthy([one.name for one in resting])


def await_alone(project: Project, new: Sequence[Instance]) -> None:
    """
    Wait until instances that had lost their zddeploy have finished by themselves.

    Raises DeployFailed when they have gone back to the old version.
    """
    until = project.clock.now() + hold_max(project, new) + _longest_start(project, new)
    for instance in new:
        while (found := project.instances.look(instance.name)).state == "starting" and project.clock.now() < until:
            project.interrupts.check()
            project.clock.sleep(0.05)
        if found.state != "serving":
            raise DeployFailed(f"{instance.name} did not become healthy")


def hold_max(project: Project, instances: Sequence[Instance]) -> float:
    """Return the seconds for which these services' requests may wait; infinite for workers, which have none."""
    services = [project.config.services.get(one.service) for one in instances if one.has_slot]
    return min((one.hold_max for one in services if isinstance(one, RunService)), default=math.inf)


def _tell_of_long_lived(project: Project, old: Sequence[Instance]) -> None:
    """Say beforehand that connections which may never end are cut: requests wait for the end of the old version."""
    for one in old:
        if number := project.instances.long_lived(one.name):
            words = f"{counted(number, 'connection')} open for 10 s or longer, such as WebSockets"
            text = f"{one.name}: {words}: cut after 2 s, since requests wait for the old version to stop"
            project.events.send(Notice(service=one.service, instance=one.name, text=text))


def _longest_start(project: Project, instances: Sequence[Instance]) -> float:
    services = [project.config.services.get(one.service) for one in instances]
    return max((one.start_timeout for one in services if isinstance(one, RunService)), default=0.0)


def _rest(project: Project, instances: Sequence[Instance], at_most: float, way_back: bool) -> None:
    """Drain and stop these apps, all at once, and tell of connections that were cut."""
    for name, cut in project.instances.rest([one.name for one in instances], at_most, way_back).items():
        words = f"stopped; {counted(cut, 'connection')} cut" if cut else "stopped"
        project.events.send(Drain(subject=name, service=name.rpartition("-")[0], text=words, cut=cut))
        project.events.cut += cut
