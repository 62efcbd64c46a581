"""Where no service gets requests, zdd starts no nginx, and needs none."""

from __future__ import annotations

import socket

import pytest

from tests.waiting import eventually

from .project import PLAIN, WORKER, Project, configure, leftovers, service

JOBS = service("jobs", **WORKER)


def nginxes(project: Project) -> list[str]:
    return [title for _, title in leftovers(project.folder) if "nginx" in title and "master" in title]


def test_it_deploys_although_the_port_is_taken_and_starts_no_nginx(project: Project) -> None:
    configure(project, JOBS)
    with socket.socket() as other:
        other.bind(("127.0.0.1", project.port))
        other.listen()
        said = project.zddeploy().stdout

        assert nginxes(project) == []
        assert "not needed: no service gets requests" in said
        assert project.status()["state"] == "serving"
        assert project.zddeploy("status").stdout.count("nginx") == 0
        assert "no service gets requests, so zdd starts no nginx" in project.zddeploy("check").stdout
        project.zddeploy()
        project.zddeploy("restart")
        project.zddeploy("recover")
        assert "is up already" in project.zddeploy("up").stdout
    assert project.status()["problems"] == []
    project.zddeploy("down")
    assert leftovers(project.folder) == []
    project.zddeploy("up")
    assert list(project.serving("jobs"))


@pytest.mark.parametrize(("command", "said"), [(["maintenance", "on"], "nothing to answer"), (["pause"], "paused")])
def test_what_is_about_requests_says_that_there_are_none(project: Project, command: list[str], said: str) -> None:
    configure(project, JOBS)
    project.zddeploy()

    refused = project.zddeploy(*command, code=2)

    assert said in refused.stderr
    assert not (project.runtime / "maintenance").exists()
    assert project.status()["state"] == "serving"


def test_it_needs_no_nginx_program(project: Project) -> None:
    configure(project, JOBS, nginx='binary = "/nowhere/nginx"\n')

    project.zddeploy()
    assert list(project.serving("jobs"))
    project.zddeploy("check")


def test_when_the_last_service_with_requests_leaves_nginx_ends_and_comes_back_with_it(project: Project) -> None:
    web = service("web", **PLAIN)
    configure(project, web, JOBS)
    project.zddeploy()
    assert len(nginxes(project)) == 1
    both = (project.folder / "deploy.toml").read_text()

    project.write("deploy.toml", both.replace(web, ""))
    project.zddeploy()
    eventually(lambda: nginxes(project) == [])
    assert project.status()["state"] == "serving"

    project.write("deploy.toml", both)
    project.zddeploy()
    assert "X-Release: 1" in project.get()
