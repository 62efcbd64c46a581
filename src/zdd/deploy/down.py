"""Everything off, in order: nobody is sent to the apps any more, then the apps end, then nothing is left."""

from __future__ import annotations

from zdd.deploy.site import Site


def down(site: Site) -> None:
    """
    Stop the nginx that zdd started, then every instance, and remove the runtime folder; the caller holds the lock.

    An nginx that somebody else runs is left alone. Each instance is drained for at most its `drain_timeout`.
    """
    site.front.stop()
    running = site.fleet.running()
    for found in running.values():
        if found.state == "serving" or not found.classic:  # an old classic one has its stop command already
            site.fleet.retire(found, 0.0, [])
    for found in running.values():
        site.fleet.await_gone(found)
        site.report.event("drain", subject=found.name, service=found.service, text="stopped")
    site.places.remove()
