"""The outcome of each request, in columns of numbers: a million requests take 18 MB instead of a million objects."""

from __future__ import annotations

import base64
from array import array
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

OUTCOMES = ("ok", "refused", "reset", "cut", "5xx", "timeout", "status")
OK, REFUSED, RESET, CUT, SERVER_ERROR, TIMEOUT, STATUS = range(len(OUTCOMES))
MOST_FAILURES = 1000  # recorded in detail; the samples contain all


class Job:
    """A due request; `carrier` is its connection."""

    __slots__ = ("carrier", "done", "due", "kind")

    def __init__(self, due: float, kind: int) -> None:
        self.due = due
        self.kind = kind
        self.done = False
        self.carrier: Any = None


@dataclass(frozen=True)
class Samples:
    """
    One row for each request: its due time (CLOCK_MONOTONIC), the seconds from then to its end, its outcome and kind
    (indices), and the recorded value of its answer (an index plus 1; 0 for none).
    """

    due: array[float] = field(default_factory=lambda: array("d"))
    took: array[float] = field(default_factory=lambda: array("f"))
    outcome: array[int] = field(default_factory=lambda: array("B"))
    kind: array[int] = field(default_factory=lambda: array("B"))
    value: array[int] = field(default_factory=lambda: array("I"))

    def __len__(self) -> int:
        return len(self.due)

    @classmethod
    def unpack(cls, packed: dict[str, str]) -> Samples:
        """Return the samples whose columns `encode` turned into text, on a machine with the same byte order."""
        samples = cls()
        for name, text in packed.items():
            getattr(samples, name).frombytes(base64.b64decode(text))
        return samples


def encode(value: Any) -> Any:
    """Return what json.dumps writes for our objects and columns."""
    return base64.b64encode(value).decode() if isinstance(value, array) else vars(value)


@dataclass(frozen=True)
class Failure:
    """A failed request: the times it failed and was due (CLOCK_MONOTONIC), its class, its kind and a detail."""

    at: float
    due: float
    outcome: str
    kind: str
    detail: str


class Recorder:
    """Records the outcome of every request and the reconnects."""

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self.kinds = kinds
        self.samples = Samples()
        self.failed: Counter[str] = Counter()
        self.reconnected: Counter[str] = Counter()
        self.failures: list[Failure] = []
        self.values: dict[str, int] = {}
        self.sent = 0

    def done(self, job: Job, outcome: int, detail: str = "", value: str = "") -> int:
        """Record the outcome of a job, exactly once for each; return the index of its sample."""
        job.done, job.carrier = True, None
        samples, row = self.samples, len(self.samples)
        samples.due.append(job.due)
        samples.took.append(monotonic() - job.due)
        samples.outcome.append(OK)
        samples.kind.append(job.kind)
        samples.value.append(self.values.setdefault(value, len(self.values) + 1) if value else 0)
        if outcome != OK:
            self.amend(row, outcome, detail)
        return row

    def amend(self, row: int, outcome: int, detail: str) -> None:
        """Change a success into a failure; an earlier failure stays."""
        samples = self.samples
        if samples.outcome[row] == OK:
            samples.outcome[row] = outcome
            self.failed[OUTCOMES[outcome]] += 1
            if len(self.failures) < MOST_FAILURES:
                kind = self.kinds[samples.kind[row]]
                self.failures.append(Failure(monotonic(), samples.due[row], OUTCOMES[outcome], kind, detail))
