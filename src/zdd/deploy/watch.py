"""Watching old instances go: how many connections each still has, and how many were cut in the end."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from zdd.deploy.site import Site
from zdd.instance.running import Running
from zdd.keeper import client

_POLL = 0.1


class Drained(NamedTuple):
    """How many connections of the old instances ended by themselves, and how many had to be cut."""

    ended: int = 0
    cut: int = 0


def watch(site: Site, replaced: list[Running]) -> Drained:
    """
    Tell how the old instances drain until they are gone, or `drain_timeout` is over and they are left to their keepers.

    Instances that are kept warm, and classic ones, are only told of: they need no watching.
    """
    ended = cut = 0
    for running in replaced:
        lease = None if running.classic else _lease(site, running)
        if lease is None:
            _tell(site, running, "stopping" if running.classic else "gone")
            continue
        with contextlib.closing(lease):
            outcome = _watch_one(site, running, lease)
        ended += outcome.ended
        cut += outcome.cut
    return Drained(ended, cut)


def _watch_one(site: Site, running: Running, lease: client.Lease) -> Drained:
    last: int | None = None
    while True:
        for event in lease.events():
            if event["event"] == "gone":
                ended, cut = event["drained"], event["cut"]
                words = f"drained in {event['seconds']:.1f} s" if not cut else f"stopped; {cut} connections were cut"
                _tell(site, running, words, connections=0)
                return Drained(ended, cut)
        try:
            status = client.ask(f"{site.places.control}/{running.name}.sock", "status")
        except client.Gone:
            if lease.ended:
                _tell(site, running, "gone")
                return Drained()
            continue
        if status["state"] == "warm":
            _tell(site, running, "kept warm: `zddeploy rollback` is one rename")
            return Drained()
        if status["connections"] != last:
            last = status["connections"]
            _tell(site, running, f"draining, {last} connections", connections=last)
        site.clock.sleep(_POLL)


def _lease(site: Site, running: Running) -> client.Lease | None:
    try:
        return client.Lease(f"{site.places.control}/{running.name}.sock")
    except client.Gone:
        return None


def _tell(site: Site, running: Running, words: str, **fields: object) -> None:
    site.report.event("drain", subject=running.name, service=running.service, text=words, **fields)
