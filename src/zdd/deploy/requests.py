"""The requests of rollback, restart and up: which version to start, and which instances to reuse."""

from __future__ import annotations

from zdd.deploy import versions
from zdd.deploy.plan import Request
from zdd.deploy.versions import Version
from zdd.errors import UsageError
from zdd.host import foreign
from zdd.operate.status import status
from zdd.project import Project
from zdd.routing.manifest import Instance, Manifest


def rollback(project: Project, wanted: str | None) -> Request:
    """
    Return the request that restores a deploy (by number) or a release; by default the previous version.

    The previous version is the newest one whose releases, configuration or environment differ from what serves:
    restarts do not count, and a second rollback goes further back. Warm instances serve again, and those that serve
    stay; the others start from their release, with the configuration and the environment that they had.
    Raises UsageError if there is no such version, or if its code is gone.
    """
    current = project.tables.current()
    if current is None:
        raise UsageError("nothing is deployed, so there is nothing to roll back", hint="`zddeploy up` starts it")
    if wanted is None:
        return _of_version(project, current, _previous(project, current))
    if (number := foreign.number(wanted)) is None:
        return _of_release(project, current, wanted)
    version = next((version for version in versions.committed(project) if version.deploy == number), None)
    if version is None:
        raise UsageError(f"there is no deploy {wanted} to roll back to", hint="`zddeploy history` lists them")
    return _of_version(project, current, version)


def restart(project: Project, services: tuple[str, ...]) -> Request:
    """
    Return the request to restart what serves, with the same releases, configuration and environment.

    Raises UsageError if nothing is deployed, or if a named service is not.
    """
    current = project.tables.current()
    if current is None:
        raise UsageError("nothing is deployed, so there is nothing to restart", hint="`zddeploy up` or `zddeploy`")
    origin = versions.serving(versions.committed(project), current).origin
    snapshot = project.snapshots.read(current.deploy)
    for name in services:
        if snapshot and name in project.config.services and name not in snapshot.order:
            raise UsageError(
                f"{name} is not deployed, so there is nothing to restart", hint=f"`zddeploy deploy {name}`"
            )
    releases = current.releases()
    return Request("restart", services, release=current.release, origin=origin, releases=releases, snapshot=snapshot)


def unwell(project: Project) -> dict[tuple[str, str], str]:
    """Return the states of instances in force that do not serve or lost their keeper, by service and name."""
    current = project.tables.current()
    running = project.instances.running()
    states = {
        (instance.service, name): running[name].state if name in running else "dead"
        for name, instance in (current.instances if current else {}).items()
    }
    return {which: state for which, state in states.items() if state not in ("serving", "warm")}


def up(project: Project) -> Request:
    """
    Return the request to start what served last. Raises UsageError if there is nothing to start.

    That is the last committed deploy or, if a release of it is gone, the newest earlier one whose releases all exist.
    """
    for version in versions.committed(project):
        snapshot = project.snapshots.read(version.deploy)
        releases = dict(snapshot.releases) if snapshot else {}
        shelf, needed = project.as_of(snapshot).releases, [version.release, *releases.values()]
        if shelf is None or all(release and shelf.is_complete(release) for release in needed):
            return Request("up", release=version.release, origin=version.origin, releases=releases, snapshot=snapshot)
    if project.releases is None:
        return Request("up")
    if (release := project.releases.current()) and project.releases.is_complete(release):
        return Request("up", release=release)
    raise UsageError("no release has been deployed yet", hint="`zddeploy` builds and deploys one")


def has_nothing(project: Project) -> bool:
    """Return whether nothing was ever deployed, so that it is not known with which PATH an app would have to start."""
    return not versions.committed(project)


def is_up(project: Project) -> bool:
    """Return whether everything serves that should serve."""
    now = status(project)
    return now.deploy is not None and not now.problems


def _previous(project: Project, current: Manifest) -> Version:
    version = versions.before(project, current)
    if version is None:
        origin = versions.serving(versions.committed(project), current).origin
        raise UsageError(
            f"deploy {origin} has replaced no other version, so there is none to roll back to",
            hint="`zddeploy rollback N` goes to any deploy that `zddeploy history` lists as done",
        )
    return version


def _of_version(project: Project, current: Manifest, version: Version) -> Request:
    snapshot = versions.snapshot(project, version)
    then = project.as_of(snapshot)
    table = project.tables.read(version.deploy)
    revive = _alive(then, current, table) if table else {}
    releases: dict[str, str | None] = dict(snapshot.releases) if snapshot else {}
    releases |= table.releases() if table else {}
    for service in then.config.services:
        if service not in revive:
            _check_startable(then, version.deploy, service, releases.get(service, version.release))
    return Request(
        "rollback",
        release=version.release,
        origin=version.origin,  # if that deploy was a rollback itself, the deploy that it restored
        revive=revive,
        releases=releases,
        snapshot=snapshot,
        where=_where(version, current),
    )


def _where(version: Version, current: Manifest) -> str:
    """Return where a rollback goes, with the release first: people think in releases."""
    if version.release is None:
        return f"back to deploy {version.origin}"
    same = ", the same release with another configuration or environment"
    is_same = version.release == current.release and version.origin != (current.origin or current.deploy)
    return f"back to release {version.release} (deploy {version.origin}){same if is_same else ''}"


def _of_release(project: Project, current: Manifest, release: str) -> Request:
    """Go to the newest version of this release; one that never served starts with today's configuration."""
    if project.releases is None or not project.releases.is_complete(release):
        offered = _offered(project) if project.releases else "there is none without a [release] section"
        raise UsageError(f"there is no release {release!r} to roll back to", hint=offered)
    committed = versions.committed(project)
    known = [version for version in committed if version.release == release]
    origin = versions.serving(committed, current).origin
    if chosen := next((version for version in known if version.origin != origin), known[0] if known else None):
        return _of_version(project, current, chosen)
    return Request("rollback", release=release, where=f"back to release {release}, which has never served")


def _alive(project: Project, current: Manifest, table: Manifest) -> dict[str, list[Instance]]:
    """Return the table's instances of each service, if all of them serve or are warm."""
    warm = {name for name, instance in project.instances.running().items() if instance.state == "warm"}
    return {
        service: instances
        for service, instances in table.by_service().items()
        if service in project.config.services
        and all(instance.name in warm or instance.name in current.instances for instance in instances)
    }


def _check_startable(project: Project, number: int, service: str, release: str | None) -> None:
    """Raise UsageError if the service's release cannot be started any more."""
    if project.releases is None:
        raise UsageError(
            f"{service} of deploy {number} is no longer kept warm, and its code is gone: without a [release] section "
            "only the current code exists",
            hint="put the old code back and run `zddeploy`; a [release] section, or a longer keep_warm, avoids this",
        )
    if release is None or not project.releases.is_complete(release):
        raise UsageError(
            f"release {release} of deploy {number} does not exist any more",
            hint=f"{_offered(project)}; or `zddeploy --rev {release}`",
        )


def _offered(project: Project) -> str:
    """Return the releases that a rollback can go to: those that were refused are not offered."""
    return f"those that have served, the latest first: {', '.join(versions.served(project)) or 'none is left'}"
