"""
The versions of a project: the committed deploys, which of them are the same version, and how today's configuration
differs from theirs.

Two deploys are the same version if one started the other's again (restart, up, rollback), or if their releases,
configuration and environment are the same. Without a release nobody knows whether the code was the same, so each deploy
is a version of its own. Deploys of zdd 0.1.0 have no snapshot, only an entry in the history.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec import Struct
from msgspec.structs import asdict, replace

from zdd import history
from zdd.conf.schema import Config
from zdd.conf.services import Service
from zdd.deploy.plan import Request
from zdd.errors import UsageError
from zdd.history import Outcome
from zdd.instances import environment
from zdd.project import Project
from zdd.routing.manifest import Manifest
from zdd.snapshot import Snapshot

_RESTARTS = ("restart", "up")
_KEPT = 20  # versions whose snapshots are kept; keep_releases if that is more


class Version(Struct, frozen=True):
    """A committed deploy. `origin` is the first deploy of the same version."""

    deploy: int
    origin: int
    release: str | None


def committed(project: Project) -> list[Version]:
    """Return every committed deploy that the history, a table or a snapshot records, newest first."""
    return _committed(project, history.outcomes(project.paths.history))


def _committed(project: Project, entries: list[Outcome]) -> list[Version]:
    done = {entry.deploy: entry for entry in reversed(entries) if entry.outcome == "done"}
    refused = {entry.deploy for entry in entries} - done.keys()
    tables = {number: table for number in project.tables.numbers() if (table := project.tables.read(number))}
    refused |= {number for number, table in tables.items() if not table.is_version}
    headers = project.snapshots.headers()
    versions: list[Version] = []
    for number in sorted({*done, *tables, *headers} - refused):
        record: Outcome | Manifest | None = tables.get(number) or done.get(number)
        if header := headers.get(number):
            versions.append(Version(number, header.origin, header.release))
        elif record:
            versions.append(Version(number, _origin(record, versions), record.release))
    return versions[::-1]


def _origin(record: Outcome | Manifest, earlier: list[Version]) -> int:
    """Return the first deploy of the record's version; a restart or up by zdd 0.1.0 does not name it."""
    if record.origin is None and record.action in _RESTARTS and earlier:
        return earlier[-1].origin
    return record.origin or record.deploy


def serving(known: Iterable[Version], current: Manifest) -> Version:
    """Return the version of the table in force, which is one of the `known` ones unless its records are lost."""
    version = next((version for version in known if version.deploy == current.deploy), None)
    return version or Version(current.deploy, current.origin or current.deploy, current.release)


def snapshot(project: Project, version: Version) -> Snapshot | None:
    """Return what the version started from: its deploy's own snapshot, or that of its origin."""
    return project.snapshots.read(version.deploy) or project.snapshots.read(version.origin)


def before(project: Project, current: Manifest) -> Version | None:
    """Return the newest earlier version that is not the one that serves; None if there is none."""
    known = committed(project)
    now = serving(known, current)
    serves_from = snapshot(project, now)
    older = (version for version in known if version.deploy < now.origin)
    return next((version for version in older if not _same(project, version, now, serves_from)), None)


def _same(project: Project, version: Version, now: Version, serves_from: Snapshot | None) -> bool:
    if version.origin == now.origin:
        return True
    if version.release is None or version.release != now.release:
        return False
    then, today = snapshot(project, version), project.config
    if then is None or serves_from is None:
        return True  # the same release, and a rollback would start it with the same configuration, today's
    return then.releases == serves_from.releases and _started(then.config(today)) == _started(serves_from.config(today))


def _started(config: Config) -> Config:
    """Return the configuration without the keys that only matter when the next release is built."""
    release = config.release and replace(config.release, source="", rev=None, build=[])
    return replace(config, release=release)


def served(project: Project) -> list[str]:
    """
    Return the releases that have served and still exist, ordered by the number of their last deploy, the latest first.

    A release of which there is no record counts as the oldest: its deploy may have been forgotten.
    """
    if project.releases is None:
        return []
    headers, last = project.snapshots.headers(), dict[str | None, int]()
    entries, tables = history.outcomes(project.paths.history), set(project.tables.numbers())
    for version in reversed(_committed(project, entries)):
        header = headers.get(version.deploy)
        table = project.tables.read(version.deploy) if version.deploy in tables else None
        of_services = header.releases.values() if header else ()
        of_table = table.releases().values() if table else ()
        last |= dict.fromkeys([version.release, *of_services, *of_table], version.deploy)
    refused = {entry.release for entry in entries} - last.keys()
    known = [release for release in project.releases.ids() if release not in refused]
    return sorted(known, key=lambda release: last.get(release, 0), reverse=True)


def kept(project: Project, tables: Collection[int]) -> set[int]:
    """
    Return the deploys whose snapshots are kept: those of the kept tables, whose instances serve or are warm, and the
    newest versions whose releases still exist, since a rollback can go to them.
    """
    headers = reversed(project.snapshots.headers().items())
    own = [
        number for number, header in headers if header.origin == number and _exist(project, header.releases.values())
    ]
    most = max(_KEPT, project.config.release.keep_releases if project.config.release else 0)
    return {*tables, *own[:most]}


def _exist(project: Project, releases: Collection[str | None]) -> bool:
    if not all(releases):
        return False  # the code of a project without releases is never kept
    from zdd.release.shelf import Shelf  # here, because such a project needs none

    shelf = Shelf(project.paths, lambda _: None)
    return all(release and shelf.is_complete(release) for release in releases)


def project_of(project: Project, request: Request) -> Project:
    """
    Return the project with the configuration of the request: a version that starts again has its own.

    A deploy uses today's. If it names services, the others keep the configuration that they started with, since today's
    has not been tried for them. Raises UsageError if the two do not fit together.
    """
    if request.snapshot or request.action != "deploy":
        return project.as_of(request.snapshot)
    then = _serving_snapshot(project, request)
    if then is None:
        return project
    known = then.known.keys() & project.config.services.keys()
    stay = known - set(request.services)
    if not stay:
        return project
    started = {name: service for name, service in then.config(project.config).services.items() if name in stay}
    merged = replace(project.config, services={**project.config.services, **started})
    if project.proxy.routes:
        _check_routes([service for name, service in merged.services.items() if name in {*known, *request.services}])
    return project.configured(merged)


def _check_routes(services: Iterable[Service]) -> None:
    """Raise UsageError if two services have the same route because only one of them gets its new route."""
    routes: dict[tuple[str, str], str] = {}
    for service in services:
        if service.is_routed:
            for host in service.host or [""]:
                other = routes.setdefault((host.lower(), service.path), service.name)
                if other != service.name:
                    raise UsageError(
                        f"{other} and {service.name} would have the same route, {host}{service.path}: one of them gets "
                        "it now, the other keeps the route that it was deployed with",
                        hint=f"deploy both: `zddeploy deploy {other} {service.name}`",
                    )


def _serving_snapshot(project: Project, request: Request) -> Snapshot | None:
    """Return what serves started from, if the request is for some services only and the others stay."""
    current = project.tables.current()
    return project.snapshots.read(current.deploy) if current and request.services else None


def differences(project: Project, request: Request) -> str | None:
    """Return one line that says how today's configuration differs from what the request starts with, if it does."""
    if request.action == "deploy":
        then = _serving_snapshot(project, request)
        others = tuple(name for name in then.order if name not in request.services) if then else ()
        if then is None or not others or not (changes := _differences(project, then, others)):
            return None
        return f"{changes} for {' and '.join(others)}, which stays as it is: `zddeploy` deploys all"
    current = project.tables.current()
    then, since = request.snapshot, request.origin or (current.deploy if current else 0)
    if then is None:
        file = project.config.path.name
        return f"there is no record of how deploy {since} was started, so today's {file} is used" if since else None
    changes = _differences(project, then, request.services)
    if not changes:
        return None
    return f"{changes} since deploy {since}, which is started as it was: `zddeploy` deploys the current configuration"


def _differences(project: Project, then: Snapshot, services: tuple[str, ...]) -> str | None:
    """
    Return in one line how today's configuration differs from what these services (all if there are none) started with.

    Return None if it does not differ. Variables of today's shell do not count.
    """
    today, file = project.config, project.config.path.name
    old, new = then.config(today), replace(today, warnings=[])
    changed, gone = [], []
    if _sections(old, services) != _sections(new, services):
        changed.append(file)
    for name, service in new.apps.items():
        started = then.apps.get(name)
        if started is None or not service.env_file or (services and name not in services):
            continue
        try:
            if environment.resolve(service).from_file != started.from_file and service.env_file == started.env_file:
                changed.append(service.env_file.name)
        except UsageError:
            gone.append(service.env_file.name)
    changed, gone = list(dict.fromkeys(changed)), list(dict.fromkeys(gone))
    parts = [f"{' and '.join(changed)} {'has' if len(changed) == 1 else 'have'} changed"] if changed else []
    parts += [f"{' and '.join(gone)} cannot be read"] if gone else []
    return ", and ".join(parts) or None


def _sections(config: Config, services: tuple[str, ...]) -> object:
    """Return what the file says, or only what it says of the named services."""
    plain = {
        name: {key: value for key, value in asdict(service).items() if key not in ("from_file", "taken_over")}
        for name, service in config.services.items()
        if not services or name in services
    }
    return plain if services else (plain, config.zdd, config.nginx, config.release)
