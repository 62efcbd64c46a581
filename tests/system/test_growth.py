"""The work of a command grows with the services that it touches, and not with those that it leaves alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .project import BIN, PLAIN, Project, configure, service, version

COUNTING = Path(__file__).with_name("counting.py")
FEW, MORE = 2, 6


def counts(project: Project, *arguments: str) -> dict[str, Any]:
    """What zddeploy has touched in this command."""
    file = project.folder / "counts.json"
    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin", "PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, str(COUNTING), str(file), *arguments]
    ended = subprocess.run(command, cwd=project.folder, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.fixture(params=[FEW, MORE])
def many(project: Project, request: pytest.FixtureRequest) -> Project:
    names = [f"web{number}" for number in range(request.param)]
    configure(project, *(service(name, **PLAIN, host=f"{name}.test", keep_warm="0s") for name in names))
    project.zddeploy("--strict-drain")
    return project


def test_a_deploy_of_one_service_leaves_the_others_alone(many: Project) -> None:
    version(many, 2)

    found = counts(many, "deploy", "web0", "--strict-drain")

    assert found["keepers"] == ["web0-1", "web0-2"]
    assert found["records"] <= 10, "records are read of the instances that it starts and retires"
    assert found["scanned"] <= 2, "all processes are looked at for an nginx that takes requests beside ours"
    assert found["parsed"] <= 1, "the text of nginx is long, and the same as before"


def test_status_asks_each_keeper_and_looks_at_the_machine_once(many: Project) -> None:
    services = len(many.status()["services"])

    found = counts(many, "status")

    assert len(found["keepers"]) == services
    assert found["records"] == 0
    assert found["scanned"] <= 2
    assert found["parsed"] == 0
    assert found["listed"] <= 2, "sockets that listen, and those that are connected"


@pytest.mark.parametrize("many", [MORE], indirect=True)
def test_a_deploy_of_many_counts_their_connections_and_no_keeper_has_to(many: Project) -> None:
    version(many, 2)

    found = counts(many, "--detach")  # who drains is not watched, and may be gone when it is to be counted

    assert found["counting"] == 0


def test_a_deploy_of_all_looks_at_the_machine_no_more_often_than_one_of_one(many: Project) -> None:
    version(many, 2)

    found = counts(many, "--strict-drain")

    assert found["scanned"] <= 2
    assert found["parsed"] <= 1
