"""A worker has no socket to ask: it must live for a while, or its health_command must succeed."""

from __future__ import annotations

import pytest

from .project import LIGHT, PLAIN, Project, assert_nothing_lost, configure, service, version

WORKER = {"run": "python -S broken.py none", "socket": "none", "start_timeout": "1s", "stop_timeout": "1s"}
JOBS = [
    ("dies before min_uptime", "exits_0", {"min_uptime": "5s"}, ["jobs: `python", "ended with exit status 0 before"]),
    (
        "health_command fails",
        "well",
        {"health_command": "echo the queue is down; exit 3"},
        ["jobs: not healthy after 1 s", "health_command ended with status 3", "the queue is down"],
    ),
    (
        "health_command hangs",
        "well",
        {"health_command": "sleep 60", "health_timeout": "300ms"},
        ["jobs: not healthy after 1 s", "killed: not done after 0.3 s"],
    ),
]


@pytest.mark.parametrize(("mode", "keys", "words"), [job[1:] for job in JOBS], ids=[job[0] for job in JOBS])
def test_a_broken_worker_is_refused_and_nothing_of_the_deploy_is_left(
    project: Project, mode: str, keys: dict[str, str], words: list[str]
) -> None:
    """All or nothing: the web service beside it, which is fine, is not switched either."""
    configure(project, service("web", **PLAIN, health_path="/"), service("jobs", **WORKER, min_uptime="100ms"))
    project.write("MODE", "well")
    project.zddeploy()
    web, jobs = project.serving("web"), project.serving("jobs")
    with project.load(**LIGHT) as load:
        version(project, 2)
        project.write("MODE", mode)
        project.replace("deploy.toml", 'min_uptime = "100ms"', "\n".join(f'{key} = "{keys[key]}"' for key in keys))
        said = project.zddeploy(code=1).stderr
        report = load.stop()

    assert_nothing_lost(report)
    assert list(report.answered) == ["1"]
    assert [word for word in (*words, "deploy 1 still serves") if word not in said] == []
    assert (project.serving("web"), project.serving("jobs")) == (web, jobs)
    assert project.instances("web").keys() == web.keys()
    assert project.instances("jobs").keys() == jobs.keys()


def test_a_worker_is_healthy_once_its_health_command_succeeds(project: Project) -> None:
    command = "test -e ready || { touch ready; exit 1; }"
    configure(project, service("jobs", **WORKER, health_command=command))
    project.write("MODE", "well")
    project.zddeploy()

    assert list(project.serving("jobs")) == ["jobs-1"]
    assert (project.folder / "ready").exists(), "it ran in the project's folder"
