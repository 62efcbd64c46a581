"""How today's configuration differs from the one that a command starts with: a notice of one line."""

from __future__ import annotations

from msgspec.structs import asdict, replace

from zdd.conf.schema import Config
from zdd.deploy.plan import Request
from zdd.errors import UsageError
from zdd.instances import environment
from zdd.project import Project
from zdd.snapshot import Snapshot


def notice(project: Project, request: Request) -> str | None:
    """Return one line that says how today's configuration differs from what the request starts with, if it does."""
    current = project.tables.current()
    if request.action == "deploy":
        then = project.snapshots.read(current.deploy) if current and request.services else None
        others = tuple(name for name in then.order if name not in request.services) if then else ()
        if then is None or not others or not (changes := differences(project, then, others)):
            return None
        return f"{changes} for {' and '.join(others)}, which stays as it is: `zddeploy` deploys all"
    then, since = request.snapshot, request.origin or (current.deploy if current else 0)
    if then is None:
        file = project.config.path.name
        return f"there is no record of how deploy {since} was started, so today's {file} is used" if since else None
    changes = differences(project, then, request.services)
    if not changes:
        return None
    return f"{changes} since deploy {since}, which is started as it was: `zddeploy` deploys the current configuration"


def differences(project: Project, then: Snapshot, services: tuple[str, ...] = ()) -> str | None:
    """
    Return in one line how today's configuration differs from what these services (all unless named) started with.

    Return None if it does not differ. Variables of today's shell do not count.
    """
    today, file = project.config, project.config.path.name
    old, new = then.config(today), replace(today, warnings=[])
    changed, gone = [], []
    if _sections(old, services) != _sections(new, services):
        changed.append(file)
    for name, service in new.apps.items():
        started = then.apps.get(name)
        if started is None or not service.env_file:
            continue
        if services and name not in services:
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
