"""What does not stop within stop_timeout is killed, and a person is told: at once, or when it happens later."""

from __future__ import annotations

import json
import re

import pytest

from tests.waiting import eventually

from .project import PLAIN, PLAIN_UNIX, Project, configure, service, version

STUBBORN = """\
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: print("told to stop", flush=True))
if sys.argv[1] == "none":
    open("ready." + os.environ["ZDD_INSTANCE"], "w")
    while True:
        time.sleep(1)
import plain
plain.main(sys.argv[1])
"""
READY = "test -e ready.$ZDD_INSTANCE"  # it ignores the signal from then on
JOB = {"run": "python -S stubborn.py none", "socket": "none", "health_command": READY, "stop_timeout": "1s"}
WEB = {"run": "python -S stubborn.py {fd}", "stop_timeout": "1s", "keep_warm": "0s"}
WHY = "killed: not stopped within stop_timeout (1 s), so what it was doing is lost"


def deploy(project: Project, *services: str, **zdd: str) -> None:
    configure(project, *services, **zdd)
    project.write("stubborn.py", STUBBORN)
    project.zddeploy()
    version(project, 2)


def told_later(project: Project, name: str) -> None:
    """See that status and history name it, also as JSON, and the log."""
    sentence = rf"{name} was killed at [0-9:]+: not stopped within stop_timeout \(1 s\), so what it was doing is lost"
    found = project.status()
    assert any(re.fullmatch(sentence, note) for note in found["notes"])
    assert found["problems"] == []
    project.zddeploy("status", code=0 if found["deploy"] else None)
    assert re.search(sentence, re.sub(r"\s+", " ", project.zddeploy("status", code=None).stdout))
    shown = re.sub(r"\s+", " ", project.zddeploy("history").stdout)
    assert re.search(sentence, shown)
    newest = json.loads(project.zddeploy("history", "--json").stdout.splitlines()[0])
    assert [kill["instance"] for kill in newest["killed"]] == [name]
    assert newest["killed"][0]["after"] == 1.0
    assert "the app is killed: it has not stopped within stop_timeout (1 s)" in project.log(f"{name}.log")


@pytest.mark.parametrize(("name", "keys"), [("jobs", JOB), ("web", WEB)])
def test_a_kill_is_told_by_the_deploy_and_afterwards(project: Project, name: str, keys: dict[str, str]) -> None:
    deploy(project, service(name, **keys))

    *_, drain, result = (event for event in project.events() if event["event"] in ("drain", "result"))

    assert drain["text"].endswith(WHY)
    assert drain["killed_after"] == 1.0
    assert (result["killed"], result["exit"]) == ([f"{name}-1"], 0)
    told_later(project, f"{name}-1")
    version(project, 3)
    assert WHY in re.sub(r"\s+", " ", project.zddeploy().stdout)


def test_a_kill_long_after_the_command_has_ended_is_told(project: Project) -> None:
    deploy(project, service("jobs", **JOB))

    project.zddeploy("--detach")
    eventually(lambda: "jobs-1" not in project.instances("jobs"))

    told_later(project, "jobs-1")


def test_a_kill_in_a_stop_first_deploy_is_told(project: Project) -> None:
    deploy(project, service("jobs", **JOB, order="stop-first"))

    *_, result = events = project.events()

    assert f"stopped; {WHY}" in [event["text"] for event in events if event["event"] == "drain"]
    assert result["killed"] == ["jobs-1"]
    told_later(project, "jobs-1")


def test_a_kill_by_down_is_told(project: Project) -> None:
    deploy(project, service("jobs", **JOB))

    said = project.zddeploy("down").stdout

    assert WHY in re.sub(r"\s+", " ", said)
    told_later(project, "jobs-1")


def test_a_version_that_never_served_is_killed_without_a_word(project: Project) -> None:
    """Nothing is lost by that."""
    deploy(project, service("jobs", **JOB))
    project.replace("deploy.toml", READY, "false")
    project.replace("deploy.toml", '"1s"', '"1s"\nstart_timeout = "1s"')

    project.zddeploy(code=1)

    assert project.zddeploy("status").stdout.count("killed") == 0


def test_what_stops_in_time_is_not_called_killed(project: Project) -> None:
    configure(project, service("web", **PLAIN, keep_warm="0s"), service("api", **PLAIN_UNIX, path="/api"))
    project.zddeploy()
    version(project, 2)

    result = project.events()[-1]

    assert "killed" not in result
    assert "killed" not in project.zddeploy("history", "--json").stdout
