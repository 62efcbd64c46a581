"""Which version a rollback brings back, and with which instances."""

from __future__ import annotations

from zdd import history
from zdd.deploy.plan import Request
from zdd.deploy.site import Site
from zdd.errors import UsageError
from zdd.switch.manifest import Instance, Manifest


def request(site: Site, wanted: str | None) -> Request:
    """
    Return the request that brings back a deploy (by number) or a release; by default what the last one replaced.

    What is still kept warm serves again, and what serves already stays; for the rest the release is started.
    Raises UsageError when there is no such version, or nothing left of it.
    """
    current = site.tables.current()
    if current is None:
        raise UsageError("nothing is deployed, so there is nothing to go back from", hint="`zddeploy up` starts it")
    if wanted is None:
        number = _previous(site, current)
    elif wanted.isdigit():
        number = int(wanted)
    else:
        return _of_release(site, wanted)
    return _of_deploy(site, current, number)


def _previous(site: Site, current: Manifest) -> int:
    """Return the deploy before the one whose version serves: a rollback repeated goes further back."""
    origin = current.origin or current.deploy
    entry = history.find(history.read(site.places.history), origin)
    number = entry.replaced if entry else current.before if origin == current.deploy else None
    if number is None:
        told = f"deploy {origin} has replaced nothing, so there is nothing before it to go back to"
        raise UsageError(told, hint="`zddeploy rollback N` goes to any that `zddeploy history` lists as done")
    return number


def _of_deploy(site: Site, current: Manifest, number: int) -> Request:
    table = site.tables.read(number)
    entry = history.find(history.read(site.places.history), number)
    if table is None and entry is None:
        raise UsageError(f"there is no deploy {number} to go back to", hint="`zddeploy history` lists them")
    release = table.release if table else entry.release if entry else None
    revive = _alive(site, current, table) if table else {}
    releases = {one.service: one.release for one in table.instances.values()} if table else {}
    for service in site.config.services:
        if service not in revive:
            _check_startable(site, number, service, releases.get(service, release))
    # A rollback that was replaced serves under its own number, but its version is that of the deploy it brought back.
    origin = (table and table.origin) or (entry and entry.origin) or number
    return Request("rollback", release=release, origin=origin, revive=revive, releases=releases)


def _of_release(site: Site, release: str) -> Request:
    if site.releases is None or not site.releases.is_complete(release):
        known = ", ".join(site.releases.ids()) if site.releases else "none, without a [release] section"
        raise UsageError(f"there is no release {release!r} to go back to", hint=f"there are: {known}")
    return Request("rollback", release=release)


def _alive(site: Site, current: Manifest, table: Manifest) -> dict[str, list[Instance]]:
    """Return, for each service all of whose instances of then can still serve, those instances."""
    states = {name: found.state for name, found in site.fleet.running().items()}
    found = {}
    for service in table.services():
        then = table.of(service)
        if service in site.config.services and all(
            one.name in current.instances or states.get(one.name) == "warm" for one in then
        ):
            found[service] = then
    return found


def _check_startable(site: Site, number: int, service: str, release: str | None) -> None:
    if site.releases is None:
        raise UsageError(
            f"{service} of deploy {number} is no longer kept warm, and its code is gone: without a [release] section "
            "there is only the code of now",
            hint="put the old code back and run `zddeploy`; a [release] section, or a longer keep_warm, avoids this",
        )
    if release is None or not site.releases.is_complete(release):
        raise UsageError(
            f"release {release} of deploy {number} is no longer there",
            hint=f"there are: {', '.join(site.releases.ids())}; or `zddeploy --rev {release}`",
        )
