from __future__ import annotations

import json
import math
from collections import Counter

from zdd.load import Answered, Failure, Report, Samples
from zdd.load.samples import OK, REFUSED, STATUS, TIMEOUT, Job, Recorder, encode


def report(*rows: tuple[float, float, int, int, int], values: tuple[str, ...] = ()) -> Report:
    samples = Samples()
    for due, took, outcome, kind, value in rows:
        samples.due.append(due)
        samples.took.append(took)
        samples.outcome.append(outcome)
        samples.kind.append(kind)
        samples.value.append(value)
    failures = (Failure(3.0, 2.0, "refused", "GET /", "why"),)
    return Report(0.0, 9.0, 0.5, 0.25, ("GET /", "POST /", "websocket"), Counter(idle=2), failures, values, samples)


def test_percentiles_are_nearest_ranks() -> None:
    seen = report(*((float(n), n / 4, OK, 0, 0) for n in range(1, 101)))

    assert [seen.percentile(p) for p in (0, 1, 50, 50.1, 99, 100)] == [0.25, 0.25, 12.5, 12.75, 24.75, 25.0]


def test_percentiles_of_windows_are_of_the_requests_due_in_them() -> None:
    seen = report(*((float(n), float(n), OK, n % 2, 0) for n in range(10)))

    assert seen.percentile(0, windows=[(3, 5), (8, 9)]) == 3
    assert seen.percentile(100, windows=[(3, 5), (8, 9)]) == 8
    assert seen.percentile(100, outside=[(5, 20)]) == 4
    assert seen.percentile(100, windows=[(0, 9)], outside=[(5, 20)], kind="POST /") == 3
    assert math.isnan(seen.percentile(50, windows=[(20, 30)]))


def test_timeouts_count_as_long_as_they_waited_and_other_failures_do_not() -> None:
    seen = report((1, 0.5, OK, 0, 0), (1, 8.0, TIMEOUT, 0, 0), (1, 0.0, REFUSED, 0, 0), (1, 0.0, STATUS, 0, 0))

    assert (seen.percentile(50), seen.percentile(100)) == (0.5, 8.0)
    assert seen.failed == {"timeout": 1, "refused": 1, "status": 1}
    assert (seen.requests, seen.ok, seen.total_failed, seen.failed["5xx"]) == (4, 1, 3, 0)


def test_answered_tells_first_last_and_how_many_in_the_order_of_the_answers() -> None:
    seen = report((1, 3.0, OK, 0, 1), (2, 0.5, OK, 0, 2), (3, 0.5, OK, 0, 1), (4, 1.0, OK, 0, 0), values=("v1", "v2"))

    assert seen.answered == {"v1": Answered(3.5, 4.0, 2), "v2": Answered(2.5, 2.5, 1)}


def test_a_report_survives_its_way_through_json() -> None:
    seen = report((1, 3.0, OK, 0, 1), (2, 0.5, REFUSED, 1, 0), values=("v1",))

    assert Report.unpack(json.loads(json.dumps(seen, default=encode))) == seen


def test_what_looked_well_is_amended_once_and_a_failure_stays_what_it_is() -> None:
    recorder = Recorder(("GET /",))
    rows = recorder.done(Job(0, 0), OK), recorder.done(Job(0, 0), REFUSED)
    for row in (*rows, *rows):
        recorder.amend(row, STATUS, "")

    assert recorder.failed == {"status": 1, "refused": 1}
    assert len(recorder.failures) == 2
