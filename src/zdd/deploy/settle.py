"""After the commit: what nothing leads to any more is let go, worked out from what runs, so repeatable at will."""

from __future__ import annotations

from zdd.conf.schema import RunService
from zdd.deploy.site import Site
from zdd.deploy.sweep import sweep
from zdd.deploy.watch import Leaving
from zdd.instance.running import Running
from zdd.switch.manifest import Manifest

_GOING = ("draining", "stopping", "resting")


def settle(site: Site, warm: bool = True) -> list[Leaving]:
    """
    Retire every instance that is not in the table in force; returns those that were replaced just now, to be watched.

    They are kept warm for their service's `keep_warm`, unless `warm` is off or they are broken; older ones are not, so
    that at most one generation waits. Tables that nobody walks any more are removed.
    """
    current = site.tables.current()
    if current is None:
        return []
    before = site.tables.before(current)
    workers = site.front.retiring_workers()
    replaced = []
    running = site.fleet.running()
    for one in running.values():
        if one.name in current.instances:
            continue
        was_serving = before is not None and one.name in before.instances
        if was_serving and one.state not in ("dead", *_GOING):
            replaced.append(Leaving(site, one))
        stays_warm = was_serving and warm and not one.is_broken
        site.fleet.retire(one, _warm_seconds(site, one) if stays_warm else 0.0, workers)
    site.tables.prune(keep=_kept_tables(current))
    sweep(site, running)
    if site.releases and current.release:
        site.use(current.release)
        if site.releases.prune(_kept_releases(site, current)):
            site.use(current.release)  # files that no release has any more go from the assets
    return replaced


def _warm_seconds(site: Site, running: Running) -> float:
    service = site.config.services.get(running.service)
    return service.keep_warm if isinstance(service, RunService) and service.order == "start-first" else 0.0


def _kept_releases(site: Site, current: Manifest) -> set[str]:
    """Return the releases that run or that a rollback of one step needs."""
    tables = [table for number in _kept_tables(current) if (table := site.tables.read(number))]
    return {one.release for table in tables for one in table.instances.values() if one.release}


def _kept_tables(current: Manifest) -> set[int]:
    return {current.deploy} | ({current.before} if current.before is not None else set())
