"""Everything off, in order: nobody is sent to the apps any more, then the apps end, then nothing is left."""

from __future__ import annotations

from zdd.events import Drain
from zdd.host.process import Process
from zdd.instances.state import InstanceState
from zdd.project import Project


def down(project: Project) -> None:
    """
    Stop the nginx that zdd started and every instance, and remove the runtime folder; the caller holds the lock.

    Clients that are being answered get their answers, for at most each service's `drain_timeout` and nginx's
    `proxy_read_timeout`; then the apps are told to stop, and may say so to a WebSocket. An nginx that somebody else
    runs is left alone.
    """
    running = project.instances.running().values()  # raises, while all serves, where one cannot be talked to
    workers = project.proxy.quit()
    _let_go(project, [found for found in running if not found.classic], workers)
    project.proxy.stop()
    _let_go(project, [found for found in running if found.classic], [])
    project.paths.remove()


def _let_go(project: Project, leaving: list[InstanceState], workers: list[Process]) -> None:
    for found in leaving:
        if found.state == "serving" or not found.classic:  # an old classic one has its stop command already
            project.instances.retire(found, 0.0, workers)
    until = project.clock.now() + project.config.nginx.proxy_read_timeout
    for found in leaving:
        project.instances.await_gone(found, until)
        project.events.send(Drain(subject=found.name, service=found.service, text="stopped"))
