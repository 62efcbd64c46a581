"""Which tables may have been in force during a time, as far as S/logs/publishes.jsonl says it."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from zdd import typed
from zdd.typed import Damaged

_TRUNCATED = 0.002  # seconds by which a time of nginx's, in whole milliseconds, may be in the future
_HOLDS = 1.0  # seconds, see keeper/handed.py
_SET = 0.002  # seconds by which the clock does not differ from itself, unless somebody has set it

Place = tuple[str, str | None]  # an instance, "" for a static service's folder, and its release


class _Entry(msgspec.Struct):
    """One line; see routing/publishes.py."""

    table: str | None = None
    before: str | None = None
    begin: float | None = msgspec.field(name="from", default=None)
    to: float | None = None
    boot: str = ""
    clock: float = 0.0
    slots: dict[str, Place] = {}
    gap: float | None = None
    handed: str | None = None
    at: float = 0.0
    led: bool | None = None


class Table(NamedTuple):
    """A table that may have been in force between two times; `slots` is None for one that is unknown."""

    begin: float
    end: float
    slots: dict[str, Place] | None


class _Published(msgspec.Struct):
    name: str | None
    begin: float
    slots: dict[str, Place] | None
    to: float | None = None
    boot: str = ""
    clock: float = 0.0
    before: str | None = None

    def fits(self, now: str) -> bool:
        """Return whether it is in force, or about to be, if this table is in force now."""
        return now == self.name or (self.to is None and now == self.before)


class Timeline:
    """
    The tables in the order of their publishes, and when keepers have passed connections on.

    `now` is the name of the table in force, as far as there is one: another one than the last in the file means that
    publishes are missing. `boot` and `clock` are as in the file. Nothing is known of what was `until` then not written.
    """

    def __init__(
        self, lines: Iterable[bytes], now: str | None, boot: str = "", clock: float = 0.0, until: float = math.inf
    ) -> None:
        self.until = until
        self.handed: dict[str, list[float]] = {}
        self.led: dict[str, list[tuple[float, float]]] = {}
        self._published: list[_Published] = []
        for line in lines:
            self._read(line)
        for moments in self.handed.values():
            moments.sort()
        if self._published and now is not None and not self._published[-1].fits(now):
            self._gap()
        self.tables = self._tables()
        self.slots = {slot for table in self.tables for slot in table.slots or ()}  # all that have led anywhere
        self._begins = [table.begin for table in self.tables]
        self._ends: list[float] = []  # of each table, or of an earlier one that ends later
        for table in self.tables:
            self._ends.append(max(table.end, self._ends[-1] if self._ends else -math.inf))
        self._shifts = _shifts([*self._published, _Published(now, math.inf, None, None, boot, clock)])

    def during(self, begin: float, end: float) -> Sequence[Table] | None:
        """Return the tables that may have been in force at some moment between these; None if not all are known."""
        for first, last, shift in self._shifts:
            if begin <= last and end >= first:
                begin, end = begin - shift, end + shift
        if not self.tables or begin < self._begins[0] or end > self.until + _TRUNCATED:
            return None
        found = []
        for index in range(bisect.bisect_right(self._begins, end) - 1, -1, -1):
            if self._ends[index] < begin:
                break
            if self.tables[index].end >= begin:
                found.append(self.tables[index])
        return None if any(table.slots is None for table in found) else found

    def was_handed_on(self, instance: str, begin: float, end: float) -> bool:
        """Return whether the instance's keeper has passed connections on between these times; a line holds a second."""
        if any(first <= end and begin - _HOLDS <= last for first, last in self.led.get(instance, ())):
            return True
        moments = self.handed.get(instance, [])
        index = bisect.bisect_left(moments, begin - _HOLDS)
        return index < len(moments) and moments[index] <= end

    def _read(self, line: bytes) -> None:
        try:
            entry = typed.decode(line, _Entry)
        except Damaged:
            entry = _Entry(gap=0.0)
        last = self._published[-1] if self._published else None
        if entry.handed is not None and entry.led is not None:
            self._lead(entry.handed, entry.at, entry.led)
        elif entry.handed is not None:
            self.handed.setdefault(entry.handed, []).append(entry.at)
        elif entry.begin is not None:
            if last and last.name != entry.before and entry.before is not None:
                self._gap()
            published = _Published(entry.table, entry.begin, entry.slots, None, entry.boot, entry.clock, entry.before)
            self._published.append(published)
        elif entry.to is not None:
            if last and last.slots is not None and last.name == entry.table and last.to is None:
                last.to = entry.to
        else:
            self._gap()

    def _lead(self, instance: str, at: float, begins: bool) -> None:
        """Note from when to when an instance's slots have led to another one; the line for the end may be missing."""
        spans = self.led.setdefault(instance, [])
        is_led = bool(spans) and spans[-1][1] == math.inf
        if begins and not is_led:
            spans.append((at, math.inf))
        elif is_led and not begins:
            spans[-1] = spans[-1][0], at

    def _gap(self) -> None:
        """Add a table of which nothing is known, since the last publish that is known to be done."""
        if self._published:
            last = self._published[-1]
            begin = last.begin if last.to is None else last.to
            self._published.append(_Published(None, begin, None, None, last.boot, last.clock))

    def _tables(self) -> list[Table]:
        """Return each table until the next one that has certainly replaced it."""
        tables: list[Table] = []
        end = math.inf
        for published in reversed(self._published):
            tables.append(Table(published.begin, end, published.slots))
            if published.to is not None:
                end = min(end, published.to)
        return sorted(tables, key=lambda table: table.begin)


def _shifts(published: Sequence[_Published]) -> list[tuple[float, float, float]]:
    """
    Return between which times somebody has set the clock, and by how much at most.

    Times of about then may be off by as much. Another boot has another clock, which says nothing.
    """
    shifts = []
    for one, other in itertools.pairwise(published):
        shift = abs(one.clock - other.clock)
        if one.boot and one.boot == other.boot and shift > _SET:
            shifts.append((one.begin - shift, other.begin + shift, shift))
    return shifts
