"""A wait looks at once, at its pace, and a last time when it is over."""

from __future__ import annotations

import pytest

from zdd.host.clock import Clock


class PushedClock(Clock):
    """A clock that nobody waits for."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def test_a_wait_looks_at_once_at_its_pace_and_a_last_time_when_it_is_over() -> None:
    clock = PushedClock()

    assert [clock.now() for _ in clock.poll(2.0, until=105.0)] == [100.0, 102.0, 104.0, 105.0]


def test_pauses_may_grow() -> None:
    clock, pauses = PushedClock(), iter([1.0, 2.0, 4.0, 8.0])

    assert [clock.now() for _ in clock.poll(lambda: next(pauses), until=110.0)] == [100.0, 101.0, 103.0, 107.0, 110.0]


@pytest.mark.parametrize(
    ("took", "times"),
    [
        (0.0, [0, 0.25, 0.5, 0.75, 1]),
        (1 / 64, [0, 0.328125, 0.65625, 0.984375]),  # pauses of 20 times as long
        (1 / 8, [0, 0.625, 1]),  # and at most half a second
    ],
)
def test_looks_that_cost_something_are_made_seldom(took: float, times: list[float]) -> None:
    clock, begun = PushedClock(), list[float]()

    for _ in clock.paced(0.25, until=101.0):
        begun.append(clock.now() - 100)
        clock.time += took

    assert begun == times


def test_a_wait_that_is_over_already_looks_once() -> None:
    clock = PushedClock()

    assert [clock.now() for _ in clock.poll(2.0, until=99.0)] == [100.0]


def test_a_wait_is_interrupted_before_it_pauses() -> None:
    clock = PushedClock()

    def interrupt() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        list(clock.poll(2.0, until=105.0, interrupt=interrupt))

    assert clock.now() == 100.0


def test_what_is_looked_at_seldom_takes_a_small_part_of_the_time() -> None:
    clock, looks = PushedClock(), list[float]()

    def look() -> None:
        looks.append(clock.now())
        clock.time += 1 / 64

    act = clock.seldom(look)
    for _ in clock.poll(1 / 64, until=101.0):
        act()

    assert [moment - 100.0 for moment in looks] == [0, 0.328125, 0.65625, 0.984375]  # pauses of 20 times as long
