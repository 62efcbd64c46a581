"""zdd's own mistakes: no traceback on the screen, a report of it in a file, and what served serves."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.waiting import eventually

from .project import BIN, PLAIN, Project, configure, leftovers, service, version

WEB = service("web", **PLAIN, health_path="/", env={"API_TOKEN": "x1"})


def broken(
    project: Project, mistake: str, *args: str, **environment: str
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run a zddeploy in which this Python was executed at its start; returns how it ended, and its report."""
    project.write("mistake/sitecustomize.py", mistake)
    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin", "PYTHONPATH": f"{project.folder}/mistake"}
    run = subprocess.run(
        [BIN / "zddeploy", *args],
        cwd=project.folder,
        env=env | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in run.stdout + run.stderr
    told = re.search(r"please report it, with (\S+)", run.stderr)
    assert told is not None, run.stderr
    report = Path(told[1])
    text = report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600
    report.unlink()
    return run, text


def raising(where: str, what: str = "KeyError('boom')") -> str:
    """A mistake: this method, named as module:Class.method, raises."""
    module, _, path = where.partition(":")
    return f"""
import {module}
def mistake(*_, **__):
    raise {what}
{module}.{path} = mistake
"""


@pytest.mark.parametrize(
    "step",
    [
        "zdd.instances.pool:Instances.await_healthy",
        "zdd.instances.pool:Instances.start",
        "zdd.routing.tables:RoutingTables.publish",
        "zdd.routing.tables:RoutingTables.commit",
    ],
)
def test_a_mistake_in_a_step_undoes_the_deploy_and_is_written_down(project: Project, step: str) -> None:
    configure(project, WEB)
    project.zddeploy()
    version(project, 2)

    run, report = broken(project, raising(step), "--json", "--label", "a", "--lock-timeout=1s")

    assert run.returncode == 1
    assert "a mistake in zdd itself: KeyError: 'boom'" in run.stderr
    assert run.stderr.splitlines()[-1].startswith("deploy 1 still serves")
    last = json.loads(run.stdout.splitlines()[-1])
    assert (last["event"], last["outcome"], last["deploy"], last["exit"]) == ("result", "undone", 1, 1)
    eventually(lambda: "web 1" in project.get("/"))
    assert project.serving().keys() == {"web-1"}
    assert json.loads(project.zddeploy("history", "--json").stdout.splitlines()[0])["outcome"] == "undone"

    assert "Traceback (most recent call last):" in report
    assert "KeyError: 'boom'" in report
    assert "--label a" in report
    assert "Python 3." in report
    assert 'run = "python -S plain.py {fd}"' in report
    assert "deploy 2 of shop" in report
    assert "x1" not in report


def test_a_mistake_while_undoing_leaves_no_other_step_as_it_was(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    mistakes = raising("zdd.instances.pool:Instances.check_ports")
    mistakes += raising("zdd.snapshot:Snapshots.remove", "TypeError('again')")

    run, report = broken(project, mistakes)

    assert run.returncode == 5
    assert "undoing it failed too: prepare: a mistake in zdd itself: TypeError: again" in run.stderr
    assert "TypeError: again" in report
    assert project.serving().keys() == {"web-1"}
    project.zddeploy("recover")
    assert leftovers(project.folder)
    project.zddeploy()


def test_a_mistake_after_the_commit_undoes_nothing(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    version(project, 2)

    run, _ = broken(project, raising("zdd.deploy.deploy:write_history"), "--json")

    assert run.returncode == 1
    assert run.stderr.splitlines()[-1].startswith("deploy 2 still serves")
    assert json.loads(run.stdout.splitlines()[-1])["outcome"] == "failed"
    eventually(lambda: "web 2" in project.get("/"))
    project.zddeploy()


def test_a_mistake_of_a_command_that_looks_makes_no_folders_of_the_project(project: Project) -> None:
    configure(project, WEB)

    run, report = broken(project, raising("zdd.operate.status:status"), "status")

    assert run.returncode == 1
    assert "nothing was served before, and nothing is now" in run.stderr
    assert "KeyError: 'boom'" in report
    assert not project.state.exists()


def test_without_a_project_there_is_a_report_too(project: Project) -> None:
    run, report = broken(project, raising("zdd.conf.read:find"), "--conf=/nowhere/deploy.toml", "status")

    assert run.returncode == 1
    assert "nothing is known of the project: KeyError('boom')" in report
