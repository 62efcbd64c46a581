from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import pytest

from zdd.conf.services import RunService
from zdd.deploy import bake
from zdd.host.clock import Clock
from zdd.instances.health.failure import InstanceFailed
from zdd.instances.state import InstanceState
from zdd.project import Project
from zdd.routing.manifest import Instance, Manifest


class Baked:
    """A project whose only new instance crashes after this many seconds; each sleep takes at least `sleep_takes`."""

    def __init__(self, crashes_at: float, sleep_takes: float) -> None:
        self.time, self.crashes_at, self.sleep_takes = 0.0, crashes_at, sleep_takes
        self.clock = Clock()
        self.clock.now, self.clock.sleep = lambda: self.time, self.sleep  # type: ignore[method-assign]
        self.interrupts = SimpleNamespace(check=lambda: None)
        self.problem: str | None = None  # what each health request meets
        self.checks = 0
        self.proxy = SimpleNamespace(check=self.check)
        self.instances = SimpleNamespace(of=self.instance)
        self.tables = SimpleNamespace(before=lambda target: None)
        self.paths = SimpleNamespace(log=lambda name: "/dev/null")
        self.config = SimpleNamespace(services={"web": RunService(name="web", run="app", bake=3.0)})

    def sleep(self, seconds: float) -> None:
        self.time += max(seconds, self.sleep_takes)

    def instance(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(
            state=lambda: self.state(name),
            ask_once=lambda interrupt: self.problem,
            has_ended=lambda: self.has_crashed,
        )

    @property
    def has_crashed(self) -> bool:
        return self.time >= self.crashes_at

    def state(self, name: str) -> InstanceState:
        shown, words = ("starting", "exit status 1") if self.has_crashed else ("serving", None)
        return InstanceState(name, "web", False, shown, None, exit=words)

    def check(self, target: Manifest, before: Manifest | None) -> None:
        """What goes through nginx: an app that hangs is waited for as long as visitors wait."""
        self.checks += 1
        self.time += 20.0 if self.problem else 0.0

    def bake(self) -> None:
        new: Any = SimpleNamespace(new=lambda before: [Instance("web-2", "web", "fd", None)])
        bake.bake(cast("Project", self), cast("Manifest", new))


@pytest.mark.parametrize("sleep_takes", [0.0, 60.0], ids=["in time", "late"])
def test_a_crash_just_before_the_end_is_noticed_even_if_we_look_late(sleep_takes: float) -> None:
    with pytest.raises(InstanceFailed, match="web-2 failed in the bake: it ended with exit status 1"):
        Baked(2.9, sleep_takes).bake()


def test_a_crash_is_a_fault_as_soon_as_the_keeper_tells_it() -> None:
    project = Baked(1.01, 0.0)

    with pytest.raises(InstanceFailed, match="it ended with exit status 1"):
        project.bake()

    assert project.time == pytest.approx(1.05)


def test_a_crash_after_the_bake_is_not_noticed() -> None:
    project = Baked(3.1, 0.0)

    project.bake()

    assert project.time == 3.0


def test_an_app_that_hangs_is_known_by_its_second_health_request_and_not_by_what_visitors_wait_for() -> None:
    project = Baked(math.inf, 0.0)
    project.problem = "GET /health was accepted, but not answered within 1 s"

    with pytest.raises(InstanceFailed, match="not answered within 1 s, twice in a row"):
        project.bake()

    assert project.time == 1.0


def test_a_bake_never_ends_without_a_request_through_nginx() -> None:
    project = Baked(math.inf, 60.0)
    project.problem = "no answer"

    project.bake()

    assert project.checks == 1
