"""A server with a master and workers whose master dies: the workers finish what they have, and new requests wait."""

from __future__ import annotations

import os
import signal

import pytest

from tests.waiting import eventually
from zdd.load import Kind

from .project import PLAIN, PLAIN_UNIX, Call, Project, assert_nothing_lost, busy, configure, service

SLOW = (Kind(path="/slow/0.8", weight=1), Kind("POST", "/echo", body=2000, weight=2))


@pytest.mark.parametrize("way", [PLAIN, PLAIN_UNIX], ids=["fd", "unix"])
def test_when_a_master_is_killed_its_workers_answer_whom_they_have_and_others_wait(
    project: Project, way: dict[str, str]
) -> None:
    run = way | {"run": way["run"].replace("plain.py", "prefork.py")}
    configure(project, service("web", **run, health_path="/", hold_max="100s", stop_timeout="60s"))
    project.zddeploy()
    calls = busy(project, *["go"] * 6)
    os.kill(project.serving()["web-1"], signal.SIGKILL)
    eventually(lambda: "once the processes that it has left have ended" in project.log("web-1.log"))
    later = [Call(project, "/echo", body=5) for _ in range(6)]
    for call in later:
        call.send(b"hello")
    project.write("go", "")

    assert [call.answer().splitlines()[-1] for call in calls] == ["web 1"] * 6
    assert [call.answer().splitlines()[-1] for call in later] == ["hello"] * 6
    assert project.instances()["web-1"]["restarts"] == 1
    assert "is killed" not in project.log("web-1.log")


@pytest.mark.parametrize("way", [PLAIN, PLAIN_UNIX], ids=["fd", "unix"])
@pytest.mark.parametrize("times", [1, 3])
def test_at_load_a_master_that_is_killed_loses_nobody(project: Project, way: dict[str, str], times: int) -> None:
    run = way | {"run": way["run"].replace("plain.py", "prefork.py")}
    configure(project, service("web", **run, health_path="/", hold_max="50s", stop_timeout="60s"))
    project.zddeploy()
    with project.load(SLOW, rate=60, connections=128) as load:
        for number in range(times):
            eventually(lambda: project.log("web-1.log").count("is busy") > 20 * (number + 1))  # noqa: B023
            os.kill(project.serving()["web-1"], signal.SIGKILL)
            eventually(lambda: project.instances()["web-1"]["restarts"] == number + 1)  # noqa: B023
            eventually(lambda: list(project.serving()) == ["web-1"])
        report = load.stop()

    assert_nothing_lost(report)
    assert "is killed" not in project.log("web-1.log")


def test_workers_that_do_not_end_are_killed_after_their_time_and_told(project: Project) -> None:
    run = PLAIN["run"].replace("plain.py", "prefork.py")
    configure(project, service("web", **PLAIN | {"run": run}, health_path="/", stop_timeout="1s"))
    project.zddeploy()
    (endless,) = busy(project, "never")
    os.kill(project.serving()["web-1"], signal.SIGKILL)
    eventually(lambda: "once the processes that it has left have ended" in project.log("web-1.log"))
    call = Call(project, "/")

    assert "web 1" in call.answer()
    assert "HTTP/1.1 502" in endless.answer()
    words = "what is left of the app is killed: it has not stopped within stop_timeout (1 s)"
    assert words in project.log("web-1.log")
    (note,) = (note for note in project.status()["notes"] if "killed" in note)
    assert note.startswith("what web-1 left running was killed at ")
    assert note.endswith("not stopped within stop_timeout (1 s), so what they were doing is lost")
