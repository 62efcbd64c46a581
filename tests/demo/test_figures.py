"""What the demo says of what it measured."""

from __future__ import annotations

from collections import Counter

import click

from zdd.demo.figures import Figures
from zdd.demo.project import BROKEN, Run
from zdd.load import OUTCOMES, Failure, Report, Samples

RELEASES = (1, 2, 3, 4, 5, 6)
GOOD = {release: "undone" if release == BROKEN else "done" for release in RELEASES[1:]}


def test_all_as_promised_is_no_problem() -> None:
    assert figures().problems() == []


def test_a_failed_request_is_told_with_what_was_seen() -> None:
    assert figures(failed=1).problems() == ["1 of 6 requests failed:", "  GET /: reset, closed"]


def test_a_broken_release_that_was_not_refused_is_a_problem() -> None:
    assert figures({BROKEN: "done"}).problems() == ["release 4: done instead of undone"]


def test_another_release_that_was_refused_is_a_problem_told_with_its_cause() -> None:
    assert figures({5: "undone"}, errors="no space").problems() == ["release 5: undone instead of done no space"]


def test_a_deploy_that_ended_without_a_result_is_none_that_was_refused() -> None:
    assert figures({BROKEN: None}).problems() == ["release 4: failed instead of undone"]


def test_a_release_that_answered_nobody_was_not_deployed_whatever_it_says() -> None:
    assert figures(answered=(1, 2, 3, 6)).problems() == ["release 5: done, yet it gave 0 answers"]


def test_a_refused_release_that_answered_is_a_problem() -> None:
    assert figures(answered=RELEASES).problems() == ["release 4: undone, yet it gave 1 answers"]


def test_times_are_told_apart_by_whether_a_deploy_ran() -> None:
    measured = figures()
    assert (measured.steady(50), measured.deploying(50)) == (1.0, 2.0)


def test_the_table_fits_a_narrow_terminal() -> None:
    assert max(len(click.unstyle(line)) for line in figures().table()) <= 79


def figures(
    outcomes: dict[int, str | None] | None = None,
    answered: tuple[int, ...] = (1, 2, 3, 5, 6),
    failed: int = 0,
    errors: str = "",
) -> Figures:
    """Each release answers once; while they are deployed (from 10 to 11 s, from 20 to 21 s, ...) it takes longer."""
    deploys = {}
    for release, outcome in (GOOD | (outcomes or {})).items():
        events = [{"event": "result", "outcome": outcome}] if outcome else []
        begun = release * 10.0
        deploys[release] = Run(begun, begun + 1, 0, events, [errors] if errors and outcome != GOOD[release] else [])
    return Figures(deploys, report(answered, failed))


def report(answered: tuple[int, ...], failed: int) -> Report:
    samples = Samples()
    rows = [(1.0, 0.001, 0, 1 + answered.index(release)) for release in answered[:3]]
    rows += [(10.0 * release + 0.5, 0.002, 0, 1 + answered.index(release)) for release in answered[3:]]
    rows += [(1.0, 0.001, OUTCOMES.index("reset"), 0)] * failed
    for due, took, outcome, value in rows:
        samples.due.append(due)
        samples.took.append(took)
        samples.outcome.append(outcome)
        samples.kind.append(0)
        samples.value.append(value)
    failures = (Failure(1.0, 1.0, "reset", "GET /", "closed"),) * failed
    values = tuple(map(str, answered))
    return Report(0.0, 70.0, 1.0, 0.0, ("GET /",), Counter(), failures, values, samples)
