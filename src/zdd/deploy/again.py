"""The version that serves, or served last, started anew."""

from __future__ import annotations

from zdd import history
from zdd.deploy.plan import Request
from zdd.deploy.site import Site
from zdd.deploy.status import status
from zdd.errors import UsageError


def restart(site: Site, services: tuple[str, ...]) -> Request:
    """Return the request to start what serves anew. Raises UsageError when nothing does."""
    current = site.tables.current()
    if current is None:
        raise UsageError("nothing is deployed, so there is nothing to restart", hint="`zddeploy up` or `zddeploy`")
    releases = {one.service: one.release for one in current.instances.values()}
    return Request("restart", services, release=current.release, releases=releases)


def broken(site: Site) -> tuple[str, ...]:
    """Return the services of which an instance should serve and does not, with nothing under way to change that."""
    current = site.tables.current()
    running = site.fleet.running()
    return tuple(
        service
        for service, instances in (current.by_service() if current else {}).items()
        if service in site.config.services
        and any(one.name not in running or running[one.name].is_broken for one in instances)
    )


def up(site: Site) -> Request:
    """Return the request to start the last good release. Raises UsageError when none is known to be good."""
    if site.releases is None:
        return Request("up")
    done = (entry.release for entry in history.read(site.places.history) if entry.outcome == "done")
    for release in [site.releases.current(), *done]:
        if release and site.releases.is_complete(release):
            return Request("up", release=release)
    raise UsageError("no release has been deployed yet", hint="`zddeploy` builds and deploys one")


def is_up(site: Site) -> bool:
    """Tell whether everything that should serve does."""
    return status(site).state == "serving"
