from __future__ import annotations

from pathlib import Path

import pytest

from zdd.acme.attempts import Attempts
from zdd.acme.failure import Failure, Kind

HOUR, DAY = 3600.0, 86400.0
NOW = 1_800_000_000.0


def failed(kind: Kind = "authority", until: float | None = None) -> Failure:
    return Failure(kind, "why", "what to do", until)


@pytest.fixture
def attempts(tmp_path: Path) -> Attempts:
    return Attempts(str(tmp_path / "attempts.json"))


def test_pauses_double_up_to_a_day_across_processes(attempts: Attempts) -> None:
    pauses = [Attempts(attempts.path).failed("shop.test", failed(), NOW).next - NOW for _ in range(9)]

    assert pauses == [HOUR / 4, HOUR / 2, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, DAY, DAY]
    assert attempts.all()["shop.test"].tries == 9


def test_it_waits_until_then_and_no_longer(attempts: Attempts) -> None:
    attempts.failed("shop.test", failed(), NOW)

    assert attempts.waits("shop.test", NOW + HOUR / 4 - 1)
    assert attempts.waits("shop.test", NOW + HOUR / 4) is None
    assert attempts.waits("blog.test", NOW) is None


@pytest.mark.parametrize("kind", ["name", "disk", "busy", "nginx"])
def test_what_no_authority_was_asked_for_is_tried_again_at_once(attempts: Attempts, kind: Kind) -> None:
    attempts.failed("shop.test", failed(kind), NOW)

    assert attempts.waits("shop.test", NOW) is None
    assert attempts.all()["shop.test"].cause == "why"


def test_what_no_authority_was_asked_for_makes_no_pause_longer(attempts: Attempts) -> None:
    """As for a name whose DNS took a day: six deploys, then the authority's first answer."""
    for _ in range(6):
        attempts.failed("shop.test", failed("name"), NOW)

    first = attempts.failed("shop.test", failed(), NOW)

    assert (first.tries, first.next - NOW) == (1, HOUR / 4)


def test_a_limit_holds_until_the_authority_says_but_is_looked_at_each_day(attempts: Attempts) -> None:
    assert attempts.failed("a.test", failed("limited", NOW + 5 * HOUR), NOW).next == NOW + 5 * HOUR
    assert attempts.failed("b.test", failed("limited", NOW + 7 * DAY), NOW).next == NOW + DAY


def test_a_clock_that_was_set_back_keeps_nobody_waiting(attempts: Attempts) -> None:
    attempts.failed("shop.test", failed(), NOW)

    assert attempts.waits("shop.test", NOW - 2 * DAY) is None


def test_a_success_is_the_end_of_it(attempts: Attempts) -> None:
    attempts.failed("shop.test", failed(), NOW)
    attempts.failed("blog.test", failed(), NOW)

    attempts.forget("shop.test", "never.test")

    assert list(attempts.all()) == ["blog.test"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"shop.test": 1}', '{"shop.test": {"at": "x"}}'])
def test_a_damaged_file_counts_as_empty(attempts: Attempts, text: str) -> None:
    Path(attempts.path).write_text(text)

    assert attempts.all() == {}
    assert attempts.failed("shop.test", failed(), NOW).tries == 1
