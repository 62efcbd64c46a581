"""
Which instance has answered each line of the access log.

A line has the slots that nginx tried and when it connected (`at`, see config/access.py), the file of publishes where
each slot led. The moment of a connect is known to a few milliseconds; a pooled connection may be older by the `tail`;
and a worker that was stopped for a moment may have connected later. So a line has an instance only if all tables that
may have been in force in this time lead its last slot to one. Else it is unknown, and counts for nobody.

What nginx serves from a folder has that folder in its line: nginx finds it once for each request, and it says the
release, however long the answer took.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import msgspec

from zdd import typed
from zdd.nginx.timeline import Place, Timeline
from zdd.typed import Damaged

UNKNOWN = "unknown"

_GRAIN = 0.005  # seconds by which nginx's cached time may be behind
_ROUNDED = 0.001  # all of nginx's times are in whole milliseconds
# Seconds after which nginx has connected, unless its worker was stopped for longer. Of 60,000 lines with a switch every
# 0.5 s none was given a wrong version. Nobody waits for it: it only makes some "unknown".
_LATE = 1.0
_PARTED = re.compile(r", | : ")
_TIME, _NUMBER = re.compile(r"[0-9]{1,11}\.[0-9]{3}"), re.compile(r"[0-9]{1,18}")
_SLOT = re.compile(r"[^/]+/[0-9]{2,}")


class _Line(msgspec.Struct):
    """A line as nginx writes it; every value is text, and "-" or "" where there is none."""

    msec: str
    at: str = ""
    id: str = ""
    connection: str = ""
    method: str = ""
    host: str = ""
    path: str = ""
    status: str = ""
    bytes: str = ""
    seconds: str = ""
    slots: str = ""
    statuses: str = ""
    times: str = ""
    root: str = ""


class Request(msgspec.Struct, frozen=True):
    """
    One request that nginx has logged.

    `time` is when it was logged (as of time.time()), `tried` the slots or addresses that nginx connected to. `instance`
    and `release` are None where nginx has answered by itself, and "unknown" where the reader cannot tell. A file of a
    static service has a release and no instance; one that is kept of earlier releases has a service alone.
    """

    time: float
    service: str | None
    instance: str | None
    release: str | None
    status: int
    method: str
    host: str
    path: str
    seconds: float
    bytes: int
    tried: list[str]
    id: str
    connection: int


class Folders(NamedTuple):
    """
    The real paths of what nginx serves: the folder with the releases, and that with the `kept` files of each service.

    `static` has the folder of each static service in a release, as it is configured today.
    """

    releases: str
    kept: str
    static: Mapping[str, str]


class Reader:
    """
    Reads lines of a project's log.

    `slots` is what the addresses of its slots begin with, `tail` for how many seconds after a switch a pooled
    connection may still lead to the old instance.
    """

    def __init__(self, timeline: Timeline, slots: str, tail: float, folders: Folders) -> None:
        self.timeline = timeline
        self.slots = slots
        self.tail = tail
        self.folders = folders

    def read(self, line: bytes) -> Request | None:
        """Return the request of a line; None for one that is damaged, as a full disk leaves it, or not nginx's."""
        try:
            raw = typed.decode(line.decode("utf-8", "replace"), _Line)
            times = [_seconds(word) for word in _PARTED.split(raw.times)] if raw.times else []
            moment, taken = _seconds(raw.msec) or 0.0, _seconds(raw.seconds) or 0.0
            begun = _seconds(raw.at)
            status, size, connection = map(_number, (raw.status, raw.bytes, raw.connection))
        except (Damaged, ValueError):
            return None
        tried = [self._name(address) for address in _PARTED.split(raw.slots)] if raw.slots not in ("", "-") else []
        between = _connected(begun, moment, taken, times, self.tail)
        service, place = self._place(raw, tried, between, moment)
        instance, release = place or (None, None)
        return Request(
            moment,
            service,
            instance or None,
            release,
            status,
            raw.method,
            raw.host,
            raw.path,
            taken,
            size,
            tried,
            raw.id,
            connection,
        )

    def _place(
        self, raw: _Line, tried: Sequence[str], between: tuple[float, float], moment: float
    ) -> tuple[str | None, Place | None]:
        """Return the service and where a request that connected `between` two times has arrived; None for neither."""
        if raw.root:
            return self._of_files(raw.root)
        last = tried[-1] if tried else ""
        if not _SLOT.fullmatch(last) and last not in self.timeline.slots:
            return None, None  # nginx has answered by itself, found no server that lives, or the app is nobody's here
        place = self._instance(last, *between, moment)
        service = last.partition("/")[0] if "/" in last else place[0].rpartition("-")[0] or None
        return service, place

    def _instance(self, slot: str, begin: float, end: float, moment: float) -> Place:
        """Return where a slot led between two times."""
        tables = self.timeline.during(begin, end) or ()
        places = {(table.slots or {}).get(slot) for table in tables}
        place = places.pop() if len(places) == 1 else None
        if place is None or self.timeline.was_handed_on(place[0], begin, moment + _ROUNDED):
            return UNKNOWN, UNKNOWN
        return place

    def _of_files(self, root: str) -> tuple[str | None, Place | None]:
        """Return the static service and the release of a folder that nginx serves."""
        releases, kept, static = self.folders
        if root.startswith(f"{kept}/"):
            return root.removeprefix(f"{kept}/").partition("/")[0], None
        if not root.startswith(f"{releases}/"):
            return None, None
        release, _, folder = root.removeprefix(f"{releases}/").partition("/")
        services = self._sites.get(release) or set(static)
        if len(services) > 1:
            services = {service for service in services if static.get(service) == folder}
        return (next(iter(services)) if len(services) == 1 else None), ("", release)

    @cached_property
    def _sites(self) -> Mapping[str | None, set[str]]:
        """The services of each release that have served its files."""
        sites: dict[str | None, set[str]] = {}
        for table in self.timeline.tables:
            for slot, (instance, release) in (table.slots or {}).items():
                if not instance:
                    sites.setdefault(release, set()).add(slot.partition("/")[0])
        return sites

    def _name(self, address: str) -> str:
        """Return an address of a slot as the file of publishes names it, any other as it is."""
        return address.removeprefix(self.slots) if address.startswith(self.slots) else address


def _connected(
    begun: float | None, moment: float, taken: float, times: Sequence[float | None], tail: float
) -> tuple[float, float]:
    """
    Return between which times nginx has connected for the last time, or has begun to use a pooled connection.

    `begun` is the line's `at`. Without it, or with one that was made when the line was written, as no header has it:
    since the request began.
    """
    known = [seconds for seconds in times if seconds is not None]
    if len(known) < len(times):
        return moment - taken - tail - _GRAIN, moment + _ROUNDED
    total, latest = sum(known), moment + _ROUNDED
    if begun is None or begun + total > moment + 2 * _ROUNDED:
        return moment - taken - tail - _GRAIN, min(latest, moment - total + _LATE)
    earlier = begun + sum(known[:-1])
    return earlier - tail - _GRAIN, min(latest, earlier + _LATE)


def _seconds(word: str) -> float | None:
    """Return a time of nginx's, None for "-". Raises ValueError for what is none."""
    if word in ("", "-"):
        return None
    if not _TIME.fullmatch(word):
        raise ValueError(word)
    return float(word)


def _number(word: str) -> int:
    """Return a number of nginx's, 0 where there is none. Raises ValueError for what is none."""
    if word and not _NUMBER.fullmatch(word):
        raise ValueError(word)
    return int(word or 0)
