"""drain_timeout, stop_timeout and keep_warm of today hold for every instance, whatever it was started with."""

from __future__ import annotations

import signal

import pytest

from tests.keeper.instance import freeze
from tests.waiting import eventually
from zdd.keeper import client
from zdd.keeper.record import Record

from .project import PLAIN, WORKER, Project, busy, configure, service, version

STUBBORN = """\
import os, signal, time
signal.signal(15, signal.SIG_IGN)
open(f"ready.{os.environ['ZDD_INSTANCE']}", "w")
time.sleep(3600)
"""
JOB = {"run": "python -S stubborn.py", "socket": "none", "health_command": "test -e ready.$ZDD_INSTANCE"}


def test_a_shorter_drain_timeout_holds_for_the_instance_that_is_replaced(project: Project) -> None:
    configure(project, service("web", **PLAIN, drain_timeout="1h", keep_warm="0s"))
    project.zddeploy()
    (call,) = busy(project, "never")
    version(project, 2)
    project.replace("deploy.toml", '"1h"', '"500ms"')

    *_, result = project.events()

    assert result["cut"] == 1
    call.answer()


def test_a_longer_drain_timeout_holds_for_the_instance_that_is_replaced(project: Project) -> None:
    configure(project, service("web", **PLAIN, drain_timeout="100ms", keep_warm="0s"))
    project.zddeploy()
    (call,) = busy(project, 2)
    version(project, 2)
    project.replace("deploy.toml", '"100ms"', '"1h"')

    *_, result = project.events("--strict-drain")

    assert result["cut"] == 0
    assert "web 1" in call.answer()


def test_stop_timeout_holds_for_the_instance_that_is_replaced_and_for_one_that_is_stopping(project: Project) -> None:
    configure(project, service("jobs", **JOB, stop_timeout="1h"))
    project.write("stubborn.py", STUBBORN)
    project.zddeploy()
    project.zddeploy("--detach")
    eventually(lambda: project.instances("jobs")["jobs-1"]["state"] == "stopping")
    project.replace("deploy.toml", '"1h"', '"1s"')

    said = project.zddeploy().stdout

    assert "jobs-2" in said
    assert "killed: not stopped within stop_timeout (1 s)" in said.replace("\n", " ")
    eventually(lambda: list(project.instances("jobs")) == ["jobs-3"])
    assert "it has not stopped within stop_timeout (1 s)" in project.log("jobs-1.log")


def test_keep_warm_holds_for_what_is_warm_already_with_any_command_that_changes_something(project: Project) -> None:
    configure(project, service("web", **PLAIN, keep_warm="1h"), service("jobs", **WORKER))
    project.zddeploy()
    version(project, 2)
    project.zddeploy()
    assert project.instances()["web-1"]["state"] == "warm"
    project.replace("deploy.toml", '"1h"', '"100ms"')

    project.zddeploy("recover")

    eventually(lambda: list(project.instances()) == ["web-2"])


@pytest.mark.parametrize("command", ["restart", "rollback", "down"])
def test_they_hold_for_commands_that_start_what_was_deployed(project: Project, command: str) -> None:
    configure(project, service("web", **PLAIN, drain_timeout="1h", keep_warm="2h"))
    project.zddeploy()
    version(project, 2)
    project.zddeploy()
    (call,) = busy(project, "never")
    project.replace("deploy.toml", '"1h"', '"500ms"')
    project.replace("deploy.toml", '"2h"', '"0s"')
    if command == "down":
        project.replace("deploy.toml", "[nginx]\n", '[nginx]\nproxy_read_timeout = "2s"\n')

    project.zddeploy(command)

    call.answer()
    eventually(lambda: "web-2" not in project.instances())


def test_a_dead_keepers_instance_is_let_go_by_them_too(project: Project) -> None:
    configure(project, service("web", **PLAIN, drain_timeout="1h", keep_warm="0s"))
    project.zddeploy()
    keeper = client.pids(f"{project.runtime}/control/web-1.pids").keeper
    assert keeper is not None
    freeze(keeper)
    keeper.signal(signal.SIGKILL)
    assert keeper.wait(30)
    (call,) = busy(project, "never")
    version(project, 2)
    project.replace("deploy.toml", '"1h"', '"500ms"')

    project.zddeploy()

    call.answer()
    assert list(project.instances()) == ["web-2"]


def test_a_service_that_has_left_the_configuration_keeps_its_own(project: Project) -> None:
    configure(project, service("web", **PLAIN), service("jobs", **WORKER, stop_timeout="7s"))
    project.zddeploy()
    text = (project.folder / "deploy.toml").read_text()
    project.write("deploy.toml", text.partition("[service.jobs]")[0])
    project.zddeploy("recover")

    record = Record.find(f"{project.runtime}/control/jobs-1.json")

    assert record is not None
    assert record.stop_timeout == 7.0
