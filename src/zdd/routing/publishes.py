"""
Which table was in force when: S/logs/publishes.jsonl, by which the reader of the access log finds who has answered.

    {"table": "17", "before": "16", "from": 1764.1, "slots": {"web/00": ["web-12", "r5"]}, ...}     before the rename
    {"table": "17", "to": 1764.2}                                                                   after it
    {"gap": 1764.3}                                    from then on publishes may be missing, until the next line
    {"handed": "web-12", "at": 1764.4}                 that keeper passes connections on to another instance
    {"handed": "web-12", "at": 1764.4, "led": true}    from then on its slots lead there; `false`: no longer

`slots` also has the addresses of tcp instances. Times are of time.time(), as nginx's are. `boot` and `clock` (that time
less CLOCK_BOOTTIME) show whether somebody has set the clock meanwhile.

A line that cannot be written never fails a publish: what is not known to be complete is unknown (see json_lines.py).
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from zdd.host import clock, files, foreign, json_lines, rotation
from zdd.layout import Layout
from zdd.routing.manifest import Manifest

Slots = dict[str, tuple[str, str | None]]

_LARGE = 1 << 20  # bytes; then the file is renamed to its older part, if no log is as old as that


class Tables(Protocol):
    """What is asked of the tables."""

    paths: Layout

    def published(self) -> str | None:
        """Return the name of the table in force."""

    def read(self, deploy: int) -> Manifest | None:
        """Return a table's manifest."""

    def before(self, manifest: Manifest) -> Manifest | None:
        """Return the manifest of the table that this one replaced."""

    def numbers(self) -> list[int]:
        """Return the deploys that have a table."""

    def links(self, deploy: int | str) -> dict[str, str]:
        """Return where each slot in a table's folder leads."""


@contextlib.contextmanager
def noted(tables: Tables, name: str | None) -> Iterator[None]:
    """Note that the table of this name is published meanwhile. What fails here is left out, and never raised."""
    path = tables.paths.publishes
    json_lines.add(path, lambda: {**_began(tables, name), "slots": _slots(tables, name)})
    yield
    json_lines.add(path, lambda: {"table": name, "to": time.time()})


def _began(tables: Tables, name: str | None) -> dict[str, Any]:
    now = time.time()
    offset = now - time.clock_gettime(time.CLOCK_BOOTTIME)
    moment = {"from": now, "boot": clock.boot_id()[:8], "clock": round(offset, 4)}
    return {"table": name, "before": tables.published(), **moment}


def _slots(tables: Tables, name: str | None) -> Slots:
    """Return the instance and the release of each slot of the table, and of each address of a tcp instance."""
    number = foreign.number((name or "").partition("+")[0])
    if name is None or number is None or (target := tables.read(number)) is None:
        return {}
    before = tables.before(target) if "+" in name else None  # a union has the instances of both
    found: Slots = {}
    releases: dict[str, str | None] = {}
    for table in filter(None, (target, before)):
        for instance in table.instances.values():
            releases.setdefault(instance.name, instance.release)
            if instance.kind == "tcp" and instance.port:
                found[f"127.0.0.1:{instance.port}"] = instance.name, instance.release
    links = tables.links(name)
    for older in reversed(tables.numbers() if set(links.values()) - releases.keys() else []):
        known = tables.read(older)
        for instance in known.instances.values() if known else ():
            releases.setdefault(instance.name, instance.release)
    return found | {slot: _place(leads, releases) for slot, leads in links.items()}


def _place(leads: str, releases: Mapping[str, str | None]) -> tuple[str, str | None]:
    """Return the instance and the release of a slot; one that leads to a folder of a release has no instance."""
    words = leads.split("/")
    return ("", words[1]) if words[0] == "releases" and len(words) > 1 else (leads, releases.get(leads))


def prune(path: str, oldest: float | None) -> None:
    """
    Begin a new file if this one is large, and none of the logs, whose oldest line has this time, needs its older part.

    The new file begins with what was in force. Keepers that add a line meanwhile add it to one of both.
    """
    if files.size(path) <= _LARGE:
        return
    older = rotation.older(path)
    with contextlib.suppress(OSError, ValueError):
        if oldest is not None and os.path.exists(older) and os.stat(older).st_mtime >= oldest:
            return
        last = _in_force(path)
        os.rename(path, older)
        for line in last:
            json_lines.append(path, line)


def _in_force(path: str) -> list[dict[str, Any]]:
    """Return the lines that say what is in force: the last publish, unless its end is missing, and who is led away."""
    publishes: list[dict[str, Any]] = []
    led: dict[str, dict[str, Any]] = {}
    for line in map(json.loads, json_lines.read(path)):
        if "handed" not in line:
            publishes = [*publishes[-1:], line]
        elif "led" in line:
            led[line["handed"]] = line
    is_whole = len(publishes) == 2 and "from" in publishes[0] and "to" in publishes[1]
    return [*(publishes if is_whole else []), *(line for line in led.values() if line["led"])]
