"""What is seen of a reload on a machine that is so busy that we stand still between two looks, or within one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import pytest

from zdd.host.clock import Clock
from zdd.host.process import Process
from zdd.nginx.process import running
from zdd.nginx.process.reload import Reload

OLD, NEW = Process(1001, 1), Process(1002, 2)


class Pushed(Clock):
    """Time passes in pauses alone, each of which takes as long as the test says."""

    def __init__(self, pause: float) -> None:
        self.pause = pause
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += max(seconds, self.pause)


class Nginx:
    """A master that has one worker, and another one once it has reloaded: after so many looks at it."""

    def __init__(self, looks: float) -> None:
        self.left = looks

    def look(self) -> bool:
        """Return whether it has reloaded; each look is one less to go."""
        self.left -= 1
        return self.left < 0


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[float, float], Reload]:
    """Makes what watches a reload that takes so many looks, with pauses of so many seconds between them."""

    def make(looks: float, pause: float) -> Reload:
        nginx = Nginx(looks + 1)  # it is looked at once before
        monkeypatch.setattr(running, "workers", lambda _: [NEW if nginx.look() else OLD])
        monkeypatch.setattr(running, "is_settled", lambda _: nginx.look())
        return Reload(Process(os.getpid(), 0), Pushed(pause), None, lambda: None)

    return make


@pytest.mark.parametrize("looks", range(12))
def test_one_that_ends_in_the_middle_of_a_look_is_not_taken_for_refused(
    watch: Callable[[float, float], Reload], looks: int
) -> None:
    assert watch(looks, 3.0).wait(10) == "done"


def test_one_that_we_hardly_get_to_look_at_is_not_given_up(watch: Callable[[float, float], Reload]) -> None:
    assert watch(30, 2.0).wait(10) == "done"


def test_one_that_never_ends_is_given_up(watch: Callable[[float, float], Reload]) -> None:
    idle, busy = watch(float("inf"), 0.0), watch(float("inf"), 5.0)

    assert (idle.wait(10), busy.wait(10)) == (None, None)
    assert 10 <= idle.clock.now() < 11
    assert 60 <= busy.clock.now() <= 65


@pytest.mark.parametrize(("ticks", "seconds"), [(range(0, 640, 10), 0.1), ([0, 1, 20, 21], 2.0)], ids=["many", "mixed"])
def test_many_workers_that_start_in_a_row_are_no_mixture(
    monkeypatch: pytest.MonkeyPatch, ticks: Iterable[int], seconds: float
) -> None:
    """Of two generations the later one starts when the earlier one was there for at least 0.1 s."""
    present = [OLD]
    monkeypatch.setattr(running, "workers", lambda _: present)
    monkeypatch.setattr(running, "is_settled", lambda _: True)
    clock = Pushed(0.0)
    reload = Reload(Process(os.getpid(), 0), clock, None, lambda: None)
    present = [Process(2000 + tick, 5 + tick) for tick in ticks]

    assert reload.wait(10) == "done"
    assert seconds - 0.1 < clock.now() <= seconds + 0.1
