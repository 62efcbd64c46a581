"""Watching old instances go: how many connections each still has, and how many were cut in the end."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

from zdd.conf.schema import RunService
from zdd.deploy.site import Site
from zdd.errors import counted
from zdd.instance.kept import Kept
from zdd.instance.running import Running
from zdd.keeper import client

_POLL = 0.1
_SOON = 1.0  # seconds after which somebody who watches wonders
_STOPPING = 10.0  # so long an app that was told to stop is watched: a worker may need an hour for what it is at


class Drained(NamedTuple):
    """How many connections of the old instances ended by themselves, and how many had to be cut."""

    ended: int = 0
    cut: int = 0


def watch(site: Site, replaced: list[Running]) -> Drained:
    """
    Tell how the old instances drain until they are gone. Those that take long to stop after that are left to it.

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
    last, begun, stopping = 0, site.clock.now(), 0.0
    while True:
        for event in lease.events():
            if event["event"] == "gone":
                return _over(site, running, event)
        try:
            status = client.ask(f"{site.places.control}/{running.name}.sock", "status")
        except client.Gone:
            if lease.ended:
                _tell(site, running, "gone")
                return Drained()
            continue
        now = site.clock.now()
        if status["state"] == "warm":
            _tell(site, running, f"kept warm: `{_way_back(site)}` is one rename")
            return Drained()
        if status["state"] == "stopping":
            stopping = stopping or now
            if now - stopping >= _STOPPING:
                return _left(site, running, status)
        elif status["connections"] != last or (not last and now - begun > _SOON):
            last, begun = status["connections"], float("inf")
            _tell(site, running, f"draining, {counted(last, 'connection')}", connections=last)
        site.clock.sleep(_POLL)


def _over(site: Site, running: Running, event: dict[str, Any]) -> Drained:
    """Tell of an instance that is gone."""
    ended, cut, seconds = event["drained"], event["cut"], event["seconds"]
    service = site.config.services.get(running.service)
    if isinstance(service, RunService) and service.socket == "none":
        words = "stopped"
    elif cut:
        words = f"stopped after {seconds:.1f} s; {_cut(cut)}, {ended} had ended"
    else:
        words = f"drained in {seconds:.1f} s" + (f": {counted(ended, 'connection')}" if ended else "")
    _tell(site, running, words, connections=0, drained=ended, cut=cut, seconds=seconds)
    return Drained(ended, cut)


def _left(site: Site, running: Running, status: dict[str, Any]) -> Drained:
    """Tell of an instance that was told to stop, and has not: it is left to finish what it is at."""
    ended, cut = status.get("drained", 0), status.get("cut", 0)  # a keeper of an earlier zdd does not say
    seconds = Kept(running.name, site.places, site.clock).record().get("stop_timeout", 0.0)
    words = f"was told to stop and is still at work; it may take {seconds:g} s" + (f"; {_cut(cut)}" if cut else "")
    _tell(site, running, words, connections=status["connections"], drained=ended, cut=cut)
    return Drained(ended, cut)


def _cut(number: int) -> str:
    return f"{counted(number, 'connection')} {'was' if number == 1 else 'were'} cut"


def _way_back(site: Site) -> str:
    """Return the command that brings the replaced version back; a mere rollback goes further back after a rollback."""
    current = site.tables.current()
    number = f" {current.before}" if current and current.action == "rollback" else ""
    return f"zddeploy rollback{number}"


def _lease(site: Site, running: Running) -> client.Lease | None:
    try:
        return client.Lease(f"{site.places.control}/{running.name}.sock")
    except client.Gone:
        return None


def _tell(site: Site, running: Running, words: str, **fields: object) -> None:
    site.report.event("drain", subject=running.name, service=running.service, text=words, **fields)
