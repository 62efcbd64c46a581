"""
Every other command that changes something is killed (-9) at every system call of its own that does; the next command
puts things right, and nobody notices where the command itself costs nobody anything.
"""

from __future__ import annotations

import shutil
import stat
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import NamedTuple

import pytest

from tests.system.project import (
    PLAIN,
    PLAIN_TCP,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    configure,
    service,
)
from tests.waiting import eventually
from zdd.load import Report

from .test_killed_anywhere import ONLY_POSTS, Change, sample

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace (Debian's package strace)")

SPARSE = 3  # of a sample's points every third
LOG = "logs/access/access.log"
WEB = service("web", **PLAIN, health_path="/", keep_warm="1s", instances=2)
API = service("api", **PLAIN_TCP, health_path="/", path="/api")


class Case(NamedTuple):
    """A command; what is done before each, what puts things right, and what visitors may notice (None: much)."""

    args: tuple[str, ...]
    before: Callable[[Project], object]
    after: Callable[[Project], object]
    judge: Callable[[Report], None] | None


def run(*args: str) -> Callable[[Project], object]:
    return lambda project: project.zddeploy(*args)


def is_up(project: Project) -> None:
    if project.status()["state"] != "serving":
        project.zddeploy("up")


def nothing(_: Project) -> None:
    """It can be done as it is."""


def log_much(project: Project) -> None:
    with (project.state / LOG).open("ab") as log:
        log.write(b"{}\n" * 500_000)


def logs_on(project: Project) -> None:
    """Nginx writes into the new log, whose mode says that the rotation is over."""
    log = project.state / LOG

    def is_over() -> bool:
        project.zddeploy("logs", "--rotate")
        return stat.S_IMODE(log.stat().st_mode) == 0o640

    eventually(is_over)
    wanted = f"/{time.monotonic()}"
    project.get(wanted)
    eventually(lambda: wanted in log.read_text())


CASES = {
    "restart": Case(("restart",), nothing, run("recover"), assert_only_reloads_cost),
    "pause": Case(("pause", "--max", "50s"), nothing, run("resume"), assert_nothing_lost),
    "resume": Case(("resume",), run("pause", "--max", "50s"), run("resume"), assert_nothing_lost),
    "maintenance on": Case(("maintenance", "on"), nothing, run("maintenance", "off"), None),
    "maintenance off": Case(("maintenance", "off"), run("maintenance", "on"), run("maintenance", "off"), None),
    "down": Case(("down",), is_up, run("up"), None),
    "up": Case(("up",), run("down"), run("up"), None),
    "logs --rotate": Case(("logs", "--rotate"), log_much, logs_on, assert_nothing_lost),
}


@pytest.mark.parametrize("name", CASES)
def test_killed_anywhere_the_next_command_puts_things_right(project: Project, name: str, everything: bool) -> None:
    case = CASES[name]
    configure(project, WEB, API, log_max="1M")
    project.zddeploy()
    change = Change(project, *case.args, before=lambda: case.before(project))
    points = change.points()
    case.after(project)
    chosen = points if everything else sample(points)[::SPARSE]
    with project.load(ONLY_POSTS, rate=50, connections=8) if case.judge else nullcontext() as load:
        killed = sum([is_put_right(change, point, case) for point in chosen])
        report = load.stop() if load else None

    print(f"{name}: {len(points)} points, {len(chosen)} tried, {killed} killed there")
    if report and case.judge:
        case.judge(report)
    assert killed > len(chosen) // 3


def is_put_right(change: Change, point: tuple[str, int], case: Case) -> bool:
    """Kill the command there; returns whether it had not ended before. Either way all is well after the next one."""
    project = change.project
    was_killed = change.killed_at(*point)
    try:
        case.after(project)
        eventually(lambda: "200 OK" in project.get() and "200 OK" in project.get("/api"))
        assert project.status()["problems"] == []
    except BaseException as error:
        error.add_note(f"{case.args} killed at {point}")
        raise
    return was_killed
