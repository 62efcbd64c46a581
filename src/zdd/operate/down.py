"""Everything off, in order: nobody is sent to the apps any more, then the apps end, then nothing is left."""

from __future__ import annotations

from zdd.host.process import Process
from zdd.instances.state import Running
from zdd.project import Site


def down(site: Site) -> None:
    """
    Stop the nginx that zdd started and every instance, and remove the runtime folder; the caller holds the lock.

    Clients that are being answered get their answers, for at most each service's `drain_timeout` and nginx's
    `proxy_read_timeout`; then the apps are told to stop, and may say so to a WebSocket. An nginx that somebody else
    runs is left alone.
    """
    running = site.fleet.running().values()  # raises, while all serves, where one cannot be talked to
    workers = site.front.quit()
    _let_go(site, [found for found in running if not found.classic], workers)
    site.front.stop()
    _let_go(site, [found for found in running if found.classic], [])
    site.places.remove()


def _let_go(site: Site, leaving: list[Running], workers: list[Process]) -> None:
    for found in leaving:
        if found.state == "serving" or not found.classic:  # an old classic one has its stop command already
            site.fleet.retire(found, 0.0, workers)
    until = site.clock.now() + site.config.nginx.proxy_read_timeout
    for found in leaving:
        site.fleet.await_gone(found, until)
        site.report.event("drain", subject=found.name, service=found.service, text="stopped")
