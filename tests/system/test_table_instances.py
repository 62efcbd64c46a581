"""Several instances of a service, and what becomes of requests when some of them die."""

from __future__ import annotations

import os
import signal
import time

from tests.waiting import eventually
from zdd.host import process
from zdd.load import Kind

from .project import (
    LIGHT,
    MIXED,
    PLAIN,
    PLAIN_UNIX,
    RATE,
    Call,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    configure,
    service,
    version,
)

ASKED = (Kind(),)  # a GET that loses its instance is asked again of the next one


def test_every_instance_answers_and_all_are_replaced(project: Project) -> None:
    configure(project, service("web", **PLAIN, instances=3, keep_warm="0s"))
    project.zddeploy()
    with project.load(rate=RATE) as load:
        for number in range(2, 5):
            version(project, number)
            project.zddeploy()
        report = load.stop()

    assert_nothing_lost(report)
    assert report.reconnects == 0
    pids = project.serving()
    assert sorted(pids) == ["web-10", "web-11", "web-12"]
    answers = "".join(project.get("/") for _ in range(30))
    assert [pid for pid in pids.values() if f"X-Pid: {pid}\r\n" not in answers] == []


def test_more_instances_and_fewer_lose_nothing(project: Project) -> None:
    configure(project, service("web", **PLAIN, instances=1, keep_warm="0s"))
    project.zddeploy()
    with project.load(rate=RATE) as load:
        for number, (before, after) in enumerate([(1, 3), (3, 2)], 2):
            version(project, number)
            project.replace("deploy.toml", f"instances = {before}", f"instances = {after}")
            project.zddeploy()
        report = load.stop()

    assert_only_reloads_cost(report)
    assert sorted(project.serving()) == ["web-5", "web-6"]
    assert list(report.answered) == ["1", "2", "3"]


def test_one_of_three_that_crashes_again_and_again_costs_the_others_nothing(project: Project) -> None:
    """While it is down its slot leads to another one."""
    configure(project, service("web", **PLAIN, instances=3))
    project.zddeploy()
    with project.load(ASKED, rate=RATE) as load:
        project.write("doomed.web-2", "")
        eventually(lambda: (project.runtime / "instances/web-2/socket").is_symlink())
        eventually(lambda: project.instances()["web-2"]["restarts"] >= 3)
        states = {name: one["state"] for name, one in project.instances().items()}
        said = project.zddeploy("status", code=None).stdout
        (project.folder / "doomed.web-2").unlink()
        report = load.stop()

    assert_nothing_lost(report)
    assert (states["web-1"], states["web-3"]) == ("serving", "serving")
    assert " restarts" in said
    eventually(lambda: len(project.serving()) == 3)
    print(f"{report.requests} requests, none lost")


def test_a_deploy_replaces_a_service_whose_instance_crashes_all_the_time(project: Project) -> None:
    configure(project, service("web", **PLAIN, instances=2, keep_warm="0s"))
    project.zddeploy()
    project.write("doomed.web-1", "")
    eventually(lambda: project.instances()["web-1"]["restarts"] >= 1)
    with project.load(ASKED, **LIGHT) as load:
        version(project, 2)
        project.zddeploy()
        report = load.stop()

    assert_nothing_lost(report)
    assert sorted(project.serving()) == ["web-3", "web-4"]


def test_requests_wait_for_the_restart_of_the_only_instance(project: Project) -> None:
    """Those that the app had accepted are lost with it: nobody knows what it has done of them."""
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    with project.load(rate=RATE) as load:
        for _ in range(3):
            time.sleep(0.5)
            pid = next(iter(project.serving().values()))
            os.kill(pid, signal.SIGKILL)
            eventually(lambda pid=pid: [new for new in project.serving().values() if new != pid])  # type: ignore[misc]
        report = load.stop()

    assert set(report.failed) <= {"5xx"}
    assert report.total_failed <= 3 * 32, "more than could be in flight"
    assert project.instances()["web-1"]["restarts"] == 3
    assert report.percentile(100) > 0.1, "none has waited"
    print(
        f"{report.total_failed} of {report.requests} lost by 3 kills, the longest wait {report.percentile(100):.2f} s"
    )


def test_an_instance_that_binds_its_own_socket_is_restarted_too(project: Project) -> None:
    """Its socket goes with it, so until it is back nginx has nobody to send requests to."""
    configure(project, service("web", **PLAIN_UNIX))
    project.zddeploy()
    os.kill(project.serving()["web-1"], signal.SIGKILL)
    eventually(lambda: project.instances()["web-1"]["restarts"] == 1)
    eventually(lambda: "web 1" in project.get("/"))


def test_an_idle_instance_killed_loses_no_request_at_all(project: Project) -> None:
    """GET and POST: with no connection open, all that come wait in the socket that the keeper holds."""
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    eventually(lambda: project.instances()["web-1"]["connections"] == 0)
    pid = project.serving()["web-1"]
    app = process.Process.find(pid)
    assert app is not None
    app.signal(signal.SIGKILL)
    assert app.wait(30)  # until then it may accept one more
    calls = [Call(project, "/echo", body=2) for _ in range(20)]
    for call in calls:
        call.send(b"ab")
    answers = [call.answer() for call in calls]

    assert [answer for answer in answers if not answer.startswith("HTTP/1.1 200") or not answer.endswith("ab")] == []
    assert [answer for answer in answers if f"X-Pid: {pid}\r\n" in answer] == []


def test_a_deploy_with_no_traffic_and_all_kinds_of_requests_afterwards(project: Project) -> None:
    configure(project, service("web", **PLAIN, instances=2, keep_warm="0s"))
    project.zddeploy()
    version(project, 2)
    project.zddeploy()
    with project.load(MIXED, **LIGHT) as load:
        time.sleep(0.5)
        report = load.stop()

    assert_nothing_lost(report)
    assert list(report.answered) == ["2"]
