"""status: what serves, and whether anything is wrong."""

from __future__ import annotations

import os
import signal
import time

from tests.waiting import eventually
from zdd.host.process import Process

from ..system.classic import ClassicProject


def kill(project: ClassicProject) -> None:
    """End the serving instance behind zdd's back."""
    pid = project.pid()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: Process.find(pid) is None)


def test_json_has_the_shape_that_programs_rely_on(deployed: ClassicProject) -> None:
    status = deployed.status()

    since = status["services"][0]["instances"][0].pop("since")
    memory = status["services"][0]["instances"][0].pop("memory_bytes")
    version = status["nginx"].pop("version")
    assert time.time() - 600 < since < time.time() + 1
    assert memory > 1_000_000
    assert version.count(".") == 2
    assert status["services"][0]["instances"][0].pop("cpu_seconds") >= 0
    instance = {"id": "web-1", "state": "serving", "pid": deployed.pid(), "connections": 0, "restarts": 0}
    instance |= {"release": None, "exit": None}
    expected = {
        "project": "shop",
        "conf": str(deployed.folder / "deploy.conf"),
        "deploy": 1,
        "release": None,
        "state": "serving",
        "running": None,
        "paused": {},
        "maintenance": False,
        "nginx": {"pid": deployed.nginx_pids()[0], "managed": True},
        "services": [{"name": "web", "release": None, "instances": [instance]}],
        "problems": [],
    }
    assert {key: status[key] for key in expected} == expected


def test_text_names_deploy_nginx_and_instances(deployed: ClassicProject) -> None:
    shown = deployed.zddeploy("status").stdout.splitlines()

    assert shown[0] == "shop: deploy 1, serving"
    assert shown[1].startswith("  nginx ")
    assert shown[1].endswith(f", pid {deployed.nginx_pids()[0]}")
    assert shown[2] == "  web"
    assert shown[3].startswith("    web-1 ")
    assert f"pid {deployed.pid()}" in shown[3]


def test_before_the_first_deploy_status_creates_nothing(project: ClassicProject) -> None:
    status = project.status()

    assert (status["state"], status["deploy"], status["problems"]) == ("nothing", None, [])
    shown = project.zddeploy("status").stdout.splitlines()
    assert shown == ["shop: nothing is deployed", "  `zddeploy` deploys it for the first time"]
    assert not project.state.exists()
    assert not project.runtime.exists()


def test_a_dead_instance_is_a_problem_until_the_next_deploy(project: ClassicProject) -> None:
    project.zddeploy()
    kill(project)

    shown = project.zddeploy("status", code=1).stdout
    status = project.status()

    assert "shop: deploy 1, down" in shown
    assert "! web-1 should serve but does not run" in shown
    assert status["state"] == "down"
    assert len(status["problems"]) == 1

    project.zddeploy()
    assert project.status()["state"] == "serving"


def test_a_dead_nginx_is_a_problem_until_the_next_deploy(project: ClassicProject) -> None:
    project.zddeploy()
    project.kill_nginx()

    shown = project.zddeploy("status", code=1).stdout

    assert "! nginx does not run" in shown
    project.zddeploy()
    project.zddeploy("status")


def test_a_project_that_is_down_says_how_to_start_it(project: ClassicProject) -> None:
    project.zddeploy()
    project.zddeploy("down")

    shown = project.zddeploy("status").stdout.splitlines()
    assert shown == ["shop: down", "  it is down: `zddeploy up` brings it back"]


def test_an_old_instance_that_has_ended_is_not_shown_any_more(project: ClassicProject) -> None:
    project.zddeploy()
    first = project.pid()
    project.zddeploy()
    eventually(lambda: Process.find(first) is None)

    assert project.states() == {"web-2": "serving"}
