"""The version that serves, or served last, started anew."""

from __future__ import annotations

from zdd.deploy import versions
from zdd.deploy.plan import Request
from zdd.errors import UsageError
from zdd.operate.status import status
from zdd.project import Project


def restart(project: Project, services: tuple[str, ...]) -> Request:
    """
    Return the request to restart what serves: the same releases, configuration and environment.

    Raises UsageError when nothing serves, or nothing of a service that is named.
    """
    current = project.tables.current()
    if current is None:
        raise UsageError("nothing is deployed, so there is nothing to restart", hint="`zddeploy up` or `zddeploy`")
    here, snapshot = versions.serving(project, current), project.snapshots.read(current.deploy)
    for name in services:
        if snapshot and name in project.config.services and name not in snapshot.order:
            raise UsageError(
                f"{name} is not deployed, so there is nothing to restart", hint=f"`zddeploy deploy {name}`"
            )
    releases = {one.service: one.release for one in current.instances.values()}
    return Request(
        "restart", services, release=current.release, origin=here.origin, releases=releases, snapshot=snapshot
    )


def broken(project: Project) -> tuple[str, ...]:
    """Return the services of which an instance should serve and does not, with nothing under way to change that."""
    current = project.tables.current()
    running = project.instances.running()
    return tuple(
        service
        for service, instances in (current.by_service() if current else {}).items()
        if service in project.config.services
        and any(one.name not in running or running[one.name].is_broken for one in instances)
    )


def up(project: Project) -> Request:
    """
    Return the request to start what served last. Raises UsageError when there is nothing to start.

    That is the last committed deploy; where a release of it is gone, the newest one before whose releases are there.
    """
    for version in versions.committed(project):
        snapshot = project.snapshots.read(version.deploy)
        releases = dict(snapshot.releases) if snapshot else {}
        shelf = project.as_of(snapshot).releases
        if all(shelf is None or (one and shelf.is_complete(one)) for one in [version.release, *releases.values()]):
            return Request("up", release=version.release, origin=version.origin, releases=releases, snapshot=snapshot)
    if project.releases is None:
        return Request("up")
    if (release := project.releases.current()) and project.releases.is_complete(release):
        return Request("up", release=release)
    raise UsageError("no release has been deployed yet", hint="`zddeploy` builds and deploys one")


def is_up(project: Project) -> bool:
    """Tell whether everything that should serve does."""
    return status(project).state == "serving"
