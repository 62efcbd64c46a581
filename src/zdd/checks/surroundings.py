"""Check whether the unit or container that zdd runs in lets it do its work."""

from __future__ import annotations

import os
from collections.abc import Iterator

from zdd import usable
from zdd.errors import of_system
from zdd.finding import Finding, error
from zdd.host import namespaces, reach, systemd
from zdd.instances import environment
from zdd.operate.connected import obstacle
from zdd.project import Project


def findings(project: Project) -> Iterator[Finding]:
    """Yield what is not allowed here, and the setting that forbids it."""
    yield from _sockets()
    yield from _folders(project)
    yield from _users(project)
    yield from _network(project)
    yield from _capabilities(project)


def require_folders(project: Project) -> None:
    """Raise UsageError if the project's state or runtime folder cannot be written."""
    for folder, key in ((project.paths.state, "state_dir"), (project.paths.runtime, "runtime_dir")):
        usable.check_writable(folder, key)


def _sockets() -> Iterator[Finding]:
    if hidden := obstacle():
        yield error(of_system(hidden), "zdd could not know when an old instance is drained", hidden.cure)


def _folders(project: Project) -> Iterator[Finding]:
    """Check that the project's folders are the machine's: what zdd starts, and the next zddeploy, look there."""
    for folder in dict.fromkeys((project.paths.runtime, project.paths.state, str(project.config.folder))):
        if hidden := usable.private(folder):
            why = "what is deployed would end with the unit, or not find its files; status would not find it either"
            yield error(hidden.message, why, hidden.hint or "")


def _users(project: Project) -> Iterator[Finding]:
    uids = set(project.proxy.worker_users())
    uids |= {uid for app in project.config.apps.values() if (uid := environment.identity_of(app).uid) is not None}
    if hidden := sorted(uid for uid in uids if not namespaces.is_mapped(uid)):
        yield error(
            f"this user namespace does not contain user {' and '.join(map(str, hidden))}, whom nginx or an app runs as",
            "zdd could give them no access to sockets and files",
            "PrivateUsers=no in the unit; in a container, map these users",
        )


def _network(project: Project) -> Iterator[Finding]:
    if _starts_nginx(project) and systemd.manager() and namespaces.shares_network(1) is False:
        yield error(
            "zdd runs in a network namespace of its own, and nginx would run in a unit outside of it",
            "no request of zdd's would reach nginx, so no deploy could be proved",
            "PrivateNetwork=no in the unit that runs zddeploy",
        )


def _capabilities(project: Project) -> Iterator[Finding]:
    """Check what a root-owned nginx with zdd's own text needs: it gives a new folder to its workers."""
    is_first = not project.config.nginx.template and not os.path.isdir(project.paths.nginx_temp)
    if _starts_nginx(project) and is_first and os.geteuid() == 0 and not reach.may_chown():
        yield error(
            "we are root without CAP_CHOWN",
            "nginx could not give its folder for temporary files to its workers",
            "add CAP_CHOWN to CapabilityBoundingSet= of the unit, or to the container's capabilities",
        )


def _starts_nginx(project: Project) -> bool:
    return project.config.nginx.include is None and project.proxy.is_needed
