"""
Uploads that a worker of the text before still reads when a deploy has changed the set of slots: none is lost.

Only that worker knows the slots that have left the text, and it connects to them once it has the whole body.
"""

from __future__ import annotations

import pytest

from tests.waiting import eventually

from .project import PLAIN, PLAIN_TCP, Call, Project, configure, service, version

WEB = service("web", **PLAIN)


def api(name: str = "api", run: dict[str, str] = PLAIN, **keys: object) -> str:
    return service(name, **{"path": f"/{name}", "keep_warm": "0s"} | run | keys)


def uploads(project: Project, path: str = "/api/echo", count: int = 1) -> list[Call]:
    """Begin uploads, and wait until nginx has what is there of them."""
    calls = [Call(project, path, 4) for _ in range(count)]
    for call in calls:
        call.send(b"ab")
        call.await_read()
    return calls


def answers(calls: list[Call]) -> list[str]:
    """End uploads; returns the version that has answered each."""
    for call in calls:
        call.send(b"cd")
    found = [call.answer() for call in calls]
    assert all(answer.startswith("HTTP/1.1 200 ") for answer in found), found
    return [answer.partition("X-Release: ")[2].split()[0] for answer in found]


def running(project: Project) -> set[str]:
    return {instance["id"] for one in project.status()["services"] for instance in one["instances"]}


@pytest.mark.parametrize(
    ("services", "release"),
    [
        ([api("api2")], "1"),
        ([], "1"),
        ([api(run=PLAIN_TCP)], "1"),
        ([api(instances=1)], "3"),
    ],
    ids=["renamed", "removed", "at a port", "fewer"],
)
def test_an_upload_to_slots_that_leave_the_text_gets_its_answer(
    project: Project, services: list[str], release: str
) -> None:
    """It was answered 502, two deploys later as well: the table of the new version had no such slot."""
    configure(project, WEB, api(instances=2))
    project.zddeploy()
    calls = uploads(project, count=4)
    configure(project, WEB, *services)
    for number in (2, 3):
        version(project, number)
        project.zddeploy("--detach")

    assert answers(calls) == [release] * 4

    eventually(lambda: not {"api-1", "api-2"} & running(project))
    version(project, 4)
    project.zddeploy()
    assert {path.name for path in (project.runtime / "current/").glob("api/*")} <= {"00"}  # none is kept for good


def test_an_upload_to_slots_of_a_version_that_is_undone_gets_its_answer(project: Project) -> None:
    """It was answered 502: the table of before had no such slot."""
    configure(project, WEB, api())
    project.zddeploy()
    hook = f"touch {project.folder}/at; while ! test -e {project.folder}/on; do sleep 0.05; done; false"
    configure(project, WEB, api("api2"), after_switch=hook)
    version(project, 2)
    deploy = project.beside()
    eventually((project.folder / "at").exists)
    calls = uploads(project, "/api2/echo")
    project.write("on", "")
    assert deploy.wait(60) == 1, deploy.said()

    assert answers(calls) == ["2"]
    eventually(lambda: sorted(running(project)) == ["api-1", "web-1"])
    assert "X-Release: 1" in project.get("/api")
