"""Several instances of a service: one, two, or all of them are killed, under load of a client that never asks again."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import pytest

from tests.waiting import eventually
from zdd.load import Kind, Report

from .project import MIXED, Project, assert_nothing_lost, configure, request, service
from .test_outages import FRAIL

POSTS = (Kind("POST", "/echo", body=200),)
STICKY: dict[str, Any] = {"sticky": "ip"}


def deploy(project: Project, **keys: object) -> None:
    configure(project, service("web", **FRAIL["fd"] | {"instances": 3} | keys))
    project.zddeploy()
    project.write("slow-start", "1")


def kill(project: Project, *numbers: int) -> None:
    """Kill the apps of these instances, in this order."""
    pids = [project.instances()[f"web-{number}"]["pid"] for number in numbers]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def await_all(project: Project, restarts: int) -> None:
    def are_back() -> bool:
        found = project.instances().values()
        return all(one["state"] == "serving" for one in found) and sum(one["restarts"] for one in found) >= restarts

    eventually(are_back)


def assert_only_killed_requests_failed(report: Report, kills: int) -> None:
    """
    What an app is at work on when it is killed, and what comes before its keeper has noticed, which takes longer on a
    busy machine. Without the keeper, all requests of a second fail each time.
    """
    assert report.total_failed <= 6 * kills, report.failures[:5]
    assert report.ok > 100


@pytest.mark.parametrize("way", ["fd", "unix"])
@pytest.mark.parametrize("more", [{}, STICKY], ids=["any", "sticky"])
def test_requests_wait_while_all_instances_are_down(project: Project, way: str, more: dict[str, Any]) -> None:
    deploy(project, **FRAIL[way], **more)

    with project.load(MIXED, rate=60, connections=8) as load:
        for kills in (1, 2):
            kill(project, 1, 2, 3)
            await_all(project, 3 * kills)
        report = load.stop()

    assert_only_killed_requests_failed(report, kills=2)


@pytest.mark.parametrize("more", [{}, STICKY], ids=["any", "sticky"])
def test_the_second_dies_while_the_first_is_down_and_the_third_serves(project: Project, more: dict[str, Any]) -> None:
    deploy(project, **more)

    with project.load(MIXED, rate=60, connections=8) as load:
        kill(project, 1)
        eventually(lambda: (project.runtime / "instances/web-1/socket").is_symlink())
        time.sleep(0.3)
        kill(project, 2)
        await_all(project, 2)
        report = load.stop()

    assert_only_killed_requests_failed(report, kills=2)


def test_an_instance_that_crashes_for_hours_costs_nobody_anything(project: Project) -> None:
    deploy(project, hold_max="2s")
    broken = "import os\nif os.environ['ZDD_INSTANCE'] == 'web-2': raise SystemExit(1)\n"
    project.replace("frail.py", "import os\n", broken)
    kill(project, 2)
    eventually(lambda: project.instances()["web-2"]["restarts"] >= 1)

    with project.load(MIXED, rate=60, connections=8) as load:
        time.sleep(6)  # longer than hold_max, and than three restarts
        assert_nothing_lost(load.stop())

    problems = project.status()["problems"]
    assert any("web-2" in problem for problem in problems), problems
    assert not any("DOWN" in problem for problem in problems), "its connections are not refused"
    lines = project.events("logs", "--access", "-n", "200")
    assert {line["instance"] for line in lines} == {"web-1", "web-3", "unknown"}, "web-2's slot leads to another one"


def test_when_all_stay_down_they_are_told_and_come_back_by_themselves(project: Project) -> None:
    deploy(project, hold_max="1s", **STICKY)
    right = (project.folder / "frail.py").read_text()
    project.write("frail.py", "raise SystemExit('the database is gone')\n")
    kill(project, 1, 2, 3)
    eventually(lambda: {one["state"] for one in project.instances().values()} == {"down"})

    assert "502" in project.get()
    assert len([problem for problem in project.status()["problems"] if "is DOWN" in problem]) == 3
    project.write("frail.py", right)
    await_all(project, 3)

    assert {request(project.port).split()[1] for _ in range(20)} == {"200"}
