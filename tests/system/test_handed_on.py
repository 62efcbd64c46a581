"""Connections that wait in the queue of an app that accepts nothing: the new version answers them, and none is cut."""

from __future__ import annotations

import os
import signal

import pytest

from tests.waiting import eventually
from zdd.host import process

from .project import (
    PLAIN,
    PLAIN_TCP,
    PLAIN_UNIX,
    Call,
    Project,
    assert_nothing_lost,
    busy,
    configure,
    service,
    version,
)

WAYS = {"fd": PLAIN, "unix": PLAIN_UNIX, "tcp": PLAIN_TCP}
DEAF = """\
import os, sys, threading, time, plain
listener = plain.listen(sys.argv[1])
while True:
    connection = listener.accept()[0]
    threading.Thread(target=plain.converse, args=(connection,), daemon=True).start()
    while os.path.exists("deaf." + os.environ["ZDD_INSTANCE"]):
        time.sleep(0.05)
"""
# Its keeper starts an app again that has not answered three health requests, and must not before the test goes on.
SLOW = {"drain_timeout": "60s", "stop_timeout": "60s", "health_path": "/", "health_timeout": "50s"}


def freeze(project: Project) -> int:
    """Suspend the app, so that nobody can accept; its keeper does not know why it is silent."""
    pid = project.serving()["web-1"]
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: (process.stat_fields(pid) or ["?"])[0] == "T")
    return pid


def waiting(project: Project, number: int) -> list[Call]:
    calls = [Call(project, f"/{each}") for each in range(number)]
    eventually(lambda: (project.instances()["web-1"]["connections"] or 0) >= number)
    return calls


@pytest.mark.parametrize(
    ("way", "order"),
    [("fd", "start-first"), ("fd", "stop-first"), ("unix", "start-first"), ("tcp", "start-first")],
)
def test_the_new_version_answers_who_waits_and_nobody_is_cut(project: Project, way: str, order: str) -> None:
    """Where the app has made the socket itself, its keeper borrows it."""
    configure(project, service("web", **WAYS[way], **SLOW, order=order, hold_max="50s"))
    project.zddeploy()
    freeze(project)
    calls = waiting(project, 4)
    version(project, 2)

    *_, result = events = project.events("--strict-drain")

    assert [call.answer().splitlines()[-1] for call in calls] == ["web 2"] * 4
    assert (result["cut"], result["exit"]) == (0, 0)
    if order == "start-first":
        gone = [event for event in events if event["event"] == "drain"][-1]
        assert gone["handed"] == result["handed"] >= 4
        assert gone["seconds"] < 30, "it was not waited for"
        assert "connections that waited were handed on" in gone["text"]
    assert "killed" not in result, "a suspended app is woken, so that it can stop"


def test_who_is_being_answered_has_its_time_and_only_those_who_are_not_are_cut(project: Project) -> None:
    """Two are at work until the time is up, one at a time in the queue behind them."""
    configure(project, service("web", **PLAIN | {"run": "python -S single.py {fd}"}, drain_timeout="2s"))
    single = "import sys, plain\nplain.serve = None\nlistener = plain.listen(sys.argv[1])\n"
    project.write("single.py", single + "while True:\n    plain.converse(listener.accept()[0])\n")
    project.zddeploy()
    (call,) = busy(project, "never")
    queued = [Call(project, f"/{number}") for number in range(3)]
    eventually(lambda: (project.instances()["web-1"]["connections"] or 0) >= 4)
    version(project, 2)

    *_, result = project.events("--strict-drain", code=4)

    assert (result["cut"], result["handed"]) == (1, 3)
    assert [each.answer().splitlines()[-1] for each in queued] == ["web 2"] * 3
    assert call.answer().startswith("HTTP/1.1 502")


def test_down_has_nobody_to_hand_them_on_to_and_says_cut(project: Project) -> None:
    configure(project, service("web", **PLAIN, health_path="/", drain_timeout="500ms", stop_timeout="1s"))
    project.zddeploy()
    freeze(project)
    calls = waiting(project, 1)

    project.zddeploy("down")

    assert not calls[0].answer().startswith("HTTP/1.1 200") or "web 1" in calls[0].answer()


def test_at_load_a_version_that_hangs_is_replaced_and_nobody_is_lost(project: Project) -> None:
    """It answers what it has accepted, and accepts nothing more."""
    configure(project, service("web", **PLAIN | {"run": "python -S deaf.py {fd}"}, **SLOW))
    project.write("deaf.py", DEAF)
    project.zddeploy()
    version(project, 2)
    with project.load(rate=200, connections=256) as load:
        eventually(lambda: load.progress().done > 100)
        project.write("deaf.web-1", "")
        eventually(lambda: (project.instances()["web-1"]["connections"] or 0) >= 20)
        *_, result = project.events("--strict-drain")
        report = load.stop()

    assert result["cut"] == 0
    assert result["handed"] >= 20

    assert_nothing_lost(report)
