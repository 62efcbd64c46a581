"""Requests that another instance answers than the one whose slot nginx connected to: no line names the wrong one."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest

from tests.waiting import eventually
from zdd.host import process
from zdd.nginx.access_log import UNKNOWN

from .project import PLAIN, PLAIN_TCP, PLAIN_UNIX, Call, Project, configure, service, version
from .visitors import access, await_answer_of

WAYS = {"fd": PLAIN, "unix": PLAIN_UNIX, "tcp": PLAIN_TCP}
# Its keeper starts an app again that has not answered three health requests, and must not before the test goes on.
LONG = {"drain_timeout": "60s", "stop_timeout": "60s", "health_timeout": "50s"}
SLOW = {**LONG, "health_path": "/", "hold_max": "50s"}


def freeze(project: Project, name: str) -> int:
    """Suspend the app, so that requests wait in its queue."""
    pid = project.serving()[name]
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: (process.stat_fields(pid) or ["?"])[0] == "T")
    return pid


def waits(project: Project, name: str, number: int) -> bool:
    return (project.instances()[name]["connections"] or 0) >= number


def answered_by(call: Call) -> int:
    """The process of the app that has answered."""
    answer = call.answer()
    found = re.search(r"X-Pid: (\d+)", answer)
    assert found, answer
    return int(found[1])


def logged(project: Project, number: int) -> dict[str, dict[str, object]]:
    """The line of each path, once there are so many."""
    found: dict[str, dict[str, object]] = {}

    def all_there() -> bool:
        found.update({line["path"]: line for line in access(project)})
        return len(found) >= number

    eventually(all_there)
    return found


def handed(project: Project) -> set[str]:
    """The instances that have handed connections on."""
    lines = (project.state / "logs/publishes.jsonl").read_text().splitlines()
    return {line["handed"] for line in map(json.loads, lines) if "handed" in line}


@pytest.mark.parametrize("way", ["fd", "unix"])
def test_what_a_crashed_instance_hands_on_to_a_sibling_is_not_laid_to_its_account(project: Project, way: str) -> None:
    configure(project, service("web", **WAYS[way], instances=2, **SLOW))
    project.zddeploy()
    frozen, healthy = freeze(project, "web-1"), project.serving()["web-2"]
    calls: list[Call] = []

    def one_more() -> bool:
        calls.append(Call(project, f"/{len(calls)}"))
        return waits(project, "web-1", 3)

    eventually(one_more)
    os.kill(frozen, signal.SIGKILL)
    names = ["web-2" if answered_by(call) == healthy else "web-1" for call in calls]

    lines = logged(project, len(calls))
    lines = {path: lines[path] for path in (f"/{number}" for number in range(len(names)))}
    for line, name in zip(lines.values(), names, strict=True):
        assert line["instance"] in (name, UNKNOWN), line
    by_sibling = [line for line, name in zip(lines.values(), names, strict=True) if name == "web-2"]
    if way == "fd":  # a queue of the app's own ends with it, and nginx itself tries the sibling
        assert any(line["tried"] == ["web/00"] for line in by_sibling)
        assert handed(project) == {"web-1"}
    else:
        assert any(line["tried"] == ["web/00", "web/01"] for line in by_sibling)


@pytest.mark.parametrize("way", ["fd", "unix", "tcp"])
def test_what_an_old_version_hands_on_to_the_new_one_is_not_laid_to_its_account(project: Project, way: str) -> None:
    configure(project, service("web", **WAYS[way], **SLOW))
    project.zddeploy()
    freeze(project, "web-1")
    calls = [Call(project, f"/{number}") for number in range(4)]
    eventually(lambda: waits(project, "web-1", 4))
    version(project, 2)

    project.zddeploy("--strict-drain")

    assert {answered_by(call) for call in calls} == {project.serving()["web-2"]}
    lines = logged(project, len(calls))
    assert {line["instance"] for line in lines.values()} == {UNKNOWN}
    assert handed(project) == {"web-1"}


def test_what_waits_until_its_own_app_is_there_again_has_its_instance(project: Project) -> None:
    configure(project, service("web", **PLAIN, **SLOW))
    project.zddeploy()
    await_answer_of(project, "web-1")
    frozen = freeze(project, "web-1")
    calls = [Call(project, f"/{number}") for number in range(4)]
    eventually(lambda: waits(project, "web-1", 4))

    os.kill(frozen, signal.SIGKILL)

    assert frozen not in {answered_by(call) for call in calls}
    assert {line["instance"] for line in logged(project, len(calls) + 1).values()} == {"web-1"}
    assert handed(project) == set()


@pytest.mark.parametrize("order", ["start-first", "stop-first"])
def test_what_waits_while_nginx_is_paused_and_another_version_comes_is_not_laid_to_the_old_one(
    project: Project, order: str
) -> None:
    configure(project, service("web", **PLAIN, **SLOW, order=order))
    project.zddeploy()
    project.zddeploy("pause")
    calls = [Call(project, f"/{number}") for number in range(4)]
    for call in calls:
        call.await_read()
    version(project, 2)

    project.zddeploy()
    project.zddeploy("resume", code=None)
    pids = {answered_by(call) for call in calls}

    names = {"web-2" if pid == project.serving()["web-2"] else "web-1" for pid in pids}
    lines = logged(project, len(calls))
    assert {str(line["instance"]) for line in lines.values()} <= {*names, UNKNOWN}, (names, lines)
