"""
The versions that a project has had: which committed deploys there are, and which of them are the same version.

Two deploys are the same version where one started the other's again (restart, up, rollback), or where releases,
configuration and environment are the same. Without a release nobody knows whether the code was the same, so each deploy
counts. Deploys of zdd 0.1.0 have no snapshot; what is known of those stands in the history.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from zdd import history
from zdd.conf.schema import ClassicService, Config, RunService
from zdd.deploy.plan import Request
from zdd.errors import UsageError
from zdd.history import Entry
from zdd.project import Project
from zdd.routing.manifest import Manifest
from zdd.snapshot import Snapshot

_STARTED_ANEW = ("restart", "up")
_KEPT = 20  # versions whose snapshots are kept, or as many as releases


class Version(NamedTuple):
    """A committed deploy, as far as it is known: `origin` is the first deploy of this version."""

    deploy: int
    origin: int
    release: str | None


def committed(project: Project) -> list[Version]:
    """Return every committed deploy that anything tells of, newest first."""
    entries = history.read(project.paths.history)
    done = {entry.deploy: entry for entry in reversed(entries) if entry.outcome == "done"}
    refused = {entry.deploy for entry in entries} - done.keys()
    tables = {number: table for number in project.tables.numbers() if (table := project.tables.read(number))}
    refused |= {number for number, table in tables.items() if not table.rule.is_version}
    headers = project.snapshots.headers()
    found: dict[int, Version] = {}
    for number in sorted({*done, *tables, *headers} - refused):
        known: Entry | Manifest | None = tables.get(number) or done.get(number)
        if header := headers.get(number):
            found[number] = Version(number, header.origin, header.release)
        elif known:
            found[number] = Version(number, _origin(known, list(found.values())), known.release)
    return list(found.values())[::-1]


def _origin(known: Entry | Manifest, earlier: list[Version]) -> int:
    """Return the first deploy of its version; a restart or up by zdd 0.1.0 does not name it."""
    if known.origin is None and known.action in _STARTED_ANEW and earlier:
        return earlier[-1].origin
    return known.origin or known.deploy


def serving(project: Project, current: Manifest) -> Version:
    """Return the version of the table in force."""
    return _serving(committed(project), current)


def _serving(known: Iterable[Version], current: Manifest) -> Version:
    found = next((one for one in known if one.deploy == current.deploy), None)
    return found or Version(current.deploy, current.origin or current.deploy, current.release)


def snapshot(project: Project, version: Version) -> Snapshot | None:
    """Return what the version started from: its deploy's own snapshot, or else that of the deploy it brought back."""
    return project.snapshots.read(version.deploy) or project.snapshots.read(version.origin)


def before(project: Project, current: Manifest) -> Version | None:
    """Return the newest version before the one that serves which is another one; None when there is none."""
    known = committed(project)
    here = _serving(known, current)
    then = snapshot(project, here)
    older = (one for one in known if one.deploy < here.origin)
    return next((one for one in older if not _same(project, one, here, then)), None)


def _same(project: Project, one: Version, here: Version, then: Snapshot | None) -> bool:
    if one.origin == here.origin:
        return True
    if one.release is None or one.release != here.release:
        return False
    other = snapshot(project, one)
    if other is None or then is None:
        return True  # the same release, which would be started with the same configuration: that of today
    today = project.config
    return other.releases == then.releases and _started(other.config(today)) == _started(then.config(today))


def _started(config: Config) -> Config:
    """Return the configuration without what only says how the next release is made."""
    release = config.release and replace(config.release, source="", rev=None, build=[])
    return replace(config, release=release)


def kept(project: Project, tables: Collection[int]) -> set[int]:
    """
    Return the deploys whose snapshots are kept: those of the tables that are kept, which serve or wait, and the newest
    versions whose releases are still there, since a rollback can go to those.
    """
    from zdd.release.shelf import Shelf  # here, because a project without releases needs none

    headers = project.snapshots.headers()
    shelf = Shelf(project.paths, lambda _: None)
    own = [
        number
        for number, one in reversed(headers.items())
        if one.origin == number and all(release and shelf.is_complete(release) for release in one.releases.values())
    ]
    most = max(_KEPT, project.config.release.keep_releases if project.config.release else 0)
    return {*tables, *own[:most]}


def project_of(project: Project, request: Request) -> Project:
    """
    Return the project as the request needs it: a version that is started again has its own configuration.

    A deploy has that of today. Where it names services, the others stay as they were started, since nothing of today's
    has been tried for them. Raises UsageError where the two cannot be had together.
    """
    if request.snapshot or request.action != "deploy":
        return project.as_of(request.snapshot)
    then = _untouched(project, request)
    services = {name: one for name, one in then.items() if name not in request.services}
    if not services:
        return project
    merged = replace(project.config, services={**project.config.services, **services})
    if project.proxy.routes:
        _check_routes([one for name, one in merged.services.items() if name in {*then, *request.services}])
    return project.configured(merged)


def _check_routes(services: Iterable[ClassicService | RunService]) -> None:
    """Raise UsageError where two services have one route, as only one of them is deployed with its new one."""
    routes: dict[tuple[str, str], str] = {}
    for service in services:
        if isinstance(service, RunService) and service.socket != "none":
            for host in service.host or [""]:
                other = routes.setdefault((host.lower(), service.path), service.name)
                if other != service.name:
                    raise UsageError(
                        f"{other} and {service.name} would have the same route, {host}{service.path}: it is new to one "
                        "of them, the other one stays as it was deployed",
                        hint=f"deploy both: `zddeploy deploy {other} {service.name}`",
                    )


def _untouched(project: Project, request: Request) -> Mapping[str, ClassicService | RunService]:
    """Return the services that serve and are known, as they were started; none for a whole deploy."""
    current = project.tables.current()
    then = project.snapshots.read(current.deploy) if current and request.services else None
    if then is None:
        return {}
    known = {*then.apps, *then.classic} & project.config.services.keys()
    return {name: one for name, one in then.config(project.config).services.items() if name in known}
