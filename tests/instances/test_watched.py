"""New instances are watched while nginx is asked: if one of them ends, that is the cause, whatever nginx says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.deploy.world import FakeDriver, World, load
from zdd.errors import DeployFailed
from zdd.instances.health.failure import InstanceFailed
from zdd.instances.pool import Instances
from zdd.instances.state import InstanceState
from zdd.interrupts import Interrupted
from zdd.project import Project
from zdd.routing.manifest import Instance

NEW = [Instance("web-2", "web", "fd", None, None)]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose instance has ended once its keeper is asked for the third time."""
    places = 'state_dir = "S"\nruntime_dir = "R"\n'
    (tmp_path / "deploy.toml").write_text(f'[zdd]\nproject = "shop"\n{places}[service.web]\nrun = "x {{fd}}"\n')
    looks = iter([False, False, True])
    state = InstanceState("web-2", "web", False, "starting", None, exit="exit status 9")
    monkeypatch.setattr(FakeDriver, "has_ended", lambda _: next(looks, False))
    monkeypatch.setattr(Instances, "running", lambda *_: {"web-2": state})
    return World(tmp_path).project(load(tmp_path))


def test_an_end_interrupts_the_wait_for_nginx(project: Project) -> None:
    def wait() -> None:
        for _ in range(3):
            project.interrupts.check()

    with pytest.raises(InstanceFailed, match="web-2 ended with exit status 9 right after"):
        watch(project, wait, DeployFailed("it waits on"))
    project.interrupts.check()


def test_an_end_that_the_keeper_tells_a_moment_later_is_the_cause_of_what_nginx_met(project: Project) -> None:
    with pytest.raises(InstanceFailed, match="web-2 ended with exit status 9 right after"):
        watch(project, lambda: None, DeployFailed("nginx answers 502"))


def test_what_nginx_met_is_the_cause_if_nothing_has_ended(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeDriver, "has_ended", lambda _: False)

    with pytest.raises(DeployFailed, match="nginx answers 502"):
        watch(project, lambda: None, DeployFailed("nginx answers 502"))


def test_a_signal_is_obeyed_and_nothing_is_looked_at_during_the_undo(project: Project) -> None:
    def wait() -> None:
        with project.interrupts.held():
            for _ in range(3):
                project.interrupts.check()
        project.interrupts.noted = "SIGINT"
        project.interrupts.check()

    with pytest.raises(Interrupted):
        watch(project, wait, DeployFailed("it waits on"))


def watch(project: Project, wait: Callable[[], object], fails: DeployFailed) -> None:
    """Ask nginx, as it were: wait, and fail."""
    with project.instances.watched(NEW):
        wait()
        raise fails
