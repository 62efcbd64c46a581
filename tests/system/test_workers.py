"""Workers (`socket = "none"`): nobody connects to them; they must live, or say that they are well, and may finish."""

from __future__ import annotations

import os
import pwd
import re

import pytest

from tests.waiting import eventually

from .project import JOB, PLAIN, WORKER, Project, configure, service, version


def test_a_worker_is_healthy_once_its_health_command_succeeds(project: Project) -> None:
    command = "test -e ready || { touch ready; exit 1; }"
    configure(project, service("jobs", **WORKER | {"min_uptime": "1h"}, health_command=command))
    project.zddeploy()

    assert list(project.serving("jobs")) == ["jobs-1"]
    assert (project.folder / "ready").exists(), "it ran in the project's folder"


def test_a_worker_is_healthy_once_it_has_lived_for_a_while(project: Project) -> None:
    configure(project, service("jobs", **WORKER | {"min_uptime": "700ms"}))
    said = project.zddeploy().stdout

    found = re.search(r"jobs-1 +healthy after ([0-9.]+) s", said)
    assert found
    assert float(found[1]) >= 0.7


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a service as another user")
def test_a_health_command_is_run_as_its_service_is(project: Project) -> None:
    """As its user, in its groups, folder and environment; nothing of root is left in it."""
    nobody = pwd.getpwnam("nobody")
    ask = "echo $(id -u) $(id -G) $HOME $QUEUE $ZDD_INSTANCE $(pwd) $(grep CapEff /proc/self/status) >> /tmp/$ASKED"
    asked = f"{project.folder.name}-asked"
    run = "/bin/sleep 600"  # nobody may not enter where our Python lies
    jobs = WORKER | {"run": run, "user": "nobody", "env": {"QUEUE": "mail", "ASKED": asked}, "cwd": "/usr"}
    configure(project, service("jobs", **jobs, health_command=ask))
    try:
        project.zddeploy()
        with open(f"/tmp/{asked}") as file:
            said = file.readline().split()
        assert os.stat(f"/tmp/{asked}").st_uid == nobody.pw_uid
    finally:
        os.unlink(f"/tmp/{asked}")

    uid, group = str(nobody.pw_uid), str(nobody.pw_gid)
    assert said == [uid, group, nobody.pw_dir, "mail", "jobs-1", "/usr", "CapEff:", "0" * 16]


def test_a_web_service_may_have_a_health_command_too(project: Project) -> None:
    """It is asked in the bake as well; ZDD_SOCKET says where."""
    ask = 'test -S "$ZDD_SOCKET" && echo asked >> asked'
    configure(project, service("web", **PLAIN, health_command=ask, bake="1200ms"))
    project.zddeploy()

    assert "web 1" in project.get("/")
    assert (project.folder / "asked").read_text().count("asked\n") >= 2


def test_a_worker_finishes_its_job_while_deploys_go_on(project: Project) -> None:
    configure(project, service("web", **PLAIN, keep_warm="0s"), service("jobs", **JOB))
    project.zddeploy()
    for number in (2, 3):
        version(project, number)
        project.zddeploy("--detach")
    states = {name: one["state"] for name, one in project.instances("jobs").items()}
    eventually(lambda: project.log("jobs-*.log").count("told to stop") == 2)

    assert states == {"jobs-1": "stopping", "jobs-2": "stopping", "jobs-3": "serving"}
    project.write("done", "")
    eventually(lambda: project.log("jobs-1.log").endswith("the app ended: exit status 0\n"))
    eventually(lambda: project.log("jobs-2.log").endswith("the app ended: exit status 0\n"))
    assert "version 1 has finished its job" in project.log("jobs-1.log")


def test_a_deploy_that_is_watched_returns_before_a_worker_has_finished(project: Project) -> None:
    configure(project, service("jobs", **JOB))
    project.zddeploy()
    version(project, 2)
    said = project.zddeploy().stdout

    assert re.search(r"jobs-1 +was told to stop and is still working; it is killed after 60 s \(stop_timeout\)\n", said)
    assert project.instances("jobs")["jobs-1"]["state"] == "stopping"
    project.write("done", "")
    eventually(lambda: "version 1 has finished its job" in project.log("jobs-1.log"))
    eventually(lambda: "jobs-1" not in project.instances("jobs"))
