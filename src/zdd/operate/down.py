"""Take a project down, in order: nginx stops sending requests, then the apps stop, then their files are removed."""

from __future__ import annotations

import time

from msgspec import UNSET

from zdd import kills
from zdd.events import Drain
from zdd.host.process import Process
from zdd.instances.state import InstanceState
from zdd.operate import switched_off
from zdd.project import Project


def down(project: Project) -> None:
    """
    Stop the nginx that zdd started and every instance, and remove the runtime folder; the caller holds the lock.

    Requests in progress are answered, for at most each service's `drain_timeout` and nginx's `proxy_read_timeout`; then
    the apps are told to stop, so they can close WebSockets in order. An nginx that somebody else runs keeps running.
    """
    running = project.instances.running().values()  # if an instance cannot be asked, this raises while all still serve
    workers = project.proxy.quit()
    _retire(project, [instance for instance in running if not instance.classic], workers)
    project.proxy.stop()
    _retire(project, [instance for instance in running if instance.classic], [])
    switched_off.note(project)
    project.paths.remove()


def _retire(project: Project, instances: list[InstanceState], workers: list[Process]) -> None:
    begun = time.time()
    for instance in instances:
        if instance.state == "serving" or not instance.classic:  # an old classic one runs its stop command already
            project.instances.of(instance.name).retire(0.0, workers)
    until = project.clock.now() + project.config.nginx.proxy_read_timeout
    for instance in instances:
        project.instances.of(instance.name).await_gone(until)
        kill = kills.of(project.paths.kills, instance.name, begun)
        text, after = (f"killed: {kill.reason}", kill.after) if kill else ("stopped", UNSET)
        project.events.send(Drain(subject=instance.name, service=instance.service, text=text, killed_after=after))
