from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from zdd.load.samples import OK, OUTCOMES, TIMEOUT, Failure, Samples

Windows = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Progress:
    """Progress of a load: `due` requests should have been sent by now, `sent` were, `done` have an outcome."""

    elapsed: float = 0.0
    due: int = 0
    sent: int = 0
    done: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    reconnects: int = 0


@dataclass(frozen=True)
class Answered:
    """The first and last time of answers with a value of the recorded header, and their number."""

    first: float
    last: float
    count: int


@dataclass(frozen=True)
class Report:
    """
    The results of a load. Times are CLOCK_MONOTONIC, as time.monotonic() gives them in any process of this machine.

    Every request that came due is in `samples` once, with one outcome: ok, or a class of failure:
    `refused` no connection; `reset` the connection ended before the first byte of the answer; `cut` the answer began
    but ended early or was malformed, or a WebSocket ended without an orderly close frame; `5xx`; `timeout` no complete
    answer in time, or not even sent; `status` another answer than 2xx.
    """

    started: float
    ended: float
    cpu: float  # seconds of CPU that the generator took
    late: float  # the maximum delay of the generator's own schedule: its share in any latency
    kinds: tuple[str, ...]
    reconnected: Counter[str]  # connections closed by the server without a failure: idle, asked, websocket
    failures: tuple[Failure, ...]  # the first thousand; counts and samples have all
    values: tuple[str, ...]
    samples: Samples = field(repr=False)

    @classmethod
    def unpack(cls, packed: dict[str, Any]) -> Report:
        """Return the report that `samples.encode` turned into JSON."""
        data: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in packed.items()
        }
        data["failures"] = tuple(Failure(**failure) for failure in packed["failures"])
        data["reconnected"] = Counter(packed["reconnected"])
        data["samples"] = Samples.unpack(packed["samples"])
        return cls(**data)

    @property
    def requests(self) -> int:
        """How many requests came due."""
        return len(self.samples)

    @cached_property
    def failed(self) -> Counter[str]:
        """How many requests failed, by class; classes without failures are absent (and count 0)."""
        counts = Counter(self.samples.outcome)
        return Counter({OUTCOMES[code]: count for code, count in sorted(counts.items()) if code != OK})

    @property
    def total_failed(self) -> int:
        """How many requests failed."""
        return self.failed.total()

    @property
    def ok(self) -> int:
        """How many requests succeeded."""
        return self.requests - self.total_failed

    @property
    def reconnects(self) -> int:
        """How many connections the server closed without failing a request."""
        return self.reconnected.total()

    @cached_property
    def answered(self) -> dict[str, Answered]:
        """Answers by the value of the recorded header."""
        samples, times = self.samples, [array("d") for _ in self.values]
        for due, took, value in zip(samples.due, samples.took, samples.value, strict=True):
            if value:
                times[value - 1].append(due + took)
        return {
            value: Answered(min(seen), max(seen), len(seen)) for value, seen in zip(self.values, times, strict=True)
        }

    def percentile(
        self, p: float, windows: Windows | None = None, outside: Windows | None = None, kind: str | None = None
    ) -> float:
        """
        Return the seconds within which `p` percent of these requests were answered; see `waits`.

        Returns NaN if there is no such request. Nearest rank, no interpolation; 100 is the maximum.
        """
        chosen = sorted(self.waits(windows, outside, kind))
        return chosen[max(0, math.ceil(p / 100 * len(chosen)) - 1)] if chosen else math.nan

    def waits(
        self, windows: Windows | None = None, outside: Windows | None = None, kind: str | None = None
    ) -> list[float]:
        """
        Return how many seconds each request waited for its answer, counted from its due time.

        Only requests that were due in one of `windows` (from, to) and in none of `outside`, and of the kind, if given.
        Timeouts count with the time they waited; other failures do not count, as a fast failure is not a fast answer.
        """
        samples, wanted = self.samples, None if kind is None else self.kinds.index(kind)
        return [
            took
            for due, took, outcome, its_kind in zip(
                samples.due, samples.took, samples.outcome, samples.kind, strict=True
            )
            if outcome in (OK, TIMEOUT)
            and (wanted is None or its_kind == wanted)
            and (windows is None or _within(due, windows))
            and not (outside and _within(due, outside))
        ]


def _within(time: float, windows: Windows) -> bool:
    return any(begin <= time < end for begin, end in windows)
