"""Which version a rollback, a restart or an up starts, and with which instances."""

from __future__ import annotations

from zdd.deploy import versions
from zdd.deploy.plan import Request
from zdd.deploy.versions import Version
from zdd.errors import UsageError
from zdd.operate.status import status
from zdd.project import Project
from zdd.routing.manifest import Instance, Manifest


def rollback(project: Project, wanted: str | None) -> Request:
    """
    Return the request that brings back a deploy (by number) or a release; by default the version before.

    That is the newest one which differs from what serves in releases, configuration or environment: restarts are passed
    over, and a rollback repeated goes further back. What is still kept warm serves again, and what serves already
    stays; the rest is started from its release, with the configuration and the environment that it had.
    Raises UsageError when there is no such version, or nothing left of it.
    """
    current = project.tables.current()
    if current is None:
        raise UsageError("nothing is deployed, so there is nothing to go back from", hint="`zddeploy up` starts it")
    if wanted is None:
        return _of_version(project, current, _previous(project, current))
    if not wanted.isdigit():
        return _of_release(project, current, wanted)
    found = next((one for one in versions.committed(project) if one.deploy == int(wanted)), None)
    if found is None:
        raise UsageError(f"there is no deploy {wanted} to go back to", hint="`zddeploy history` lists them")
    return _of_version(project, current, found)


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
    """Return whether everything that should serve does."""
    found = status(project)
    return found.deploy is not None and not found.problems


def _previous(project: Project, current: Manifest) -> Version:
    found = versions.before(project, current)
    if found is None:
        origin = versions.serving(project, current).origin
        told = f"deploy {origin} has replaced no other version, so there is nothing before it to go back to"
        raise UsageError(told, hint="`zddeploy rollback N` goes to any that `zddeploy history` lists as done")
    return found


def _of_version(project: Project, current: Manifest, version: Version) -> Request:
    snapshot = versions.snapshot(project, version)
    there = project.as_of(snapshot)
    table = project.tables.read(version.deploy)
    revive = _alive(there, current, table) if table else {}
    releases: dict[str, str | None] = dict(snapshot.releases) if snapshot else {}
    releases |= {one.service: one.release for one in table.instances.values()} if table else {}
    for service in there.config.services:
        if service not in revive:
            _check_startable(there, version.deploy, service, releases.get(service, version.release))
    words = _words(version, current)
    return Request(
        "rollback",
        release=version.release,
        origin=version.origin,  # where the deploy was a rollback itself, the one that it brought back
        revive=revive,
        releases=releases,
        snapshot=snapshot,
        words=words,
    )


def _words(version: Version, current: Manifest) -> str:
    """Return where it goes, the release first: that is what a person thinks in."""
    if version.release is None:
        return f"back to deploy {version.origin}"
    same = ", the same release with another configuration or environment"
    again = version.release == current.release and version.origin != (current.origin or current.deploy)
    return f"back to release {version.release} (deploy {version.origin}){same if again else ''}"


def _of_release(project: Project, current: Manifest, release: str) -> Request:
    """Go to the newest version of this release; one that never served is started as things are today."""
    if project.releases is None or not project.releases.is_complete(release):
        known = ", ".join(project.releases.ids()) if project.releases else "none, without a [release] section"
        raise UsageError(f"there is no release {release!r} to go back to", hint=f"there are: {known}")
    found = [one for one in versions.committed(project) if one.release == release]
    here = versions.serving(project, current).origin
    if chosen := next((one for one in found if one.origin != here), found[0] if found else None):
        return _of_version(project, current, chosen)
    return Request("rollback", release=release, words=f"back to release {release}, which has never served")


def _alive(project: Project, current: Manifest, table: Manifest) -> dict[str, list[Instance]]:
    """Return, for each service all of whose instances of then can still serve, those instances."""
    states = {name: found.state for name, found in project.instances.running().items()}
    found = {}
    for service in table.services():
        then = table.of(service)
        if service in project.config.services and all(
            one.name in current.instances or states.get(one.name) == "warm" for one in then
        ):
            found[service] = then
    return found


def _check_startable(project: Project, number: int, service: str, release: str | None) -> None:
    if project.releases is None:
        raise UsageError(
            f"{service} of deploy {number} is no longer kept warm, and its code is gone: without a [release] section "
            "there is only the code of now",
            hint="put the old code back and run `zddeploy`; a [release] section, or a longer keep_warm, avoids this",
        )
    if release is None or not project.releases.is_complete(release):
        raise UsageError(
            f"release {release} of deploy {number} is no longer there",
            hint=f"there are: {', '.join(project.releases.ids())}; or `zddeploy --rev {release}`",
        )
