"""The workers of samples/workers: no task is lost or done twice while new versions replace them."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.machine import free_port
from tests.waiting import eventually

from .project import BIN, SAMPLES, Project
from .recipe import is_met

RECIPES = sorted(path.parent for path in (SAMPLES / "workers").glob("*/deploy.toml"))
RESTARTS, SHORT = 2, 40
LONG = 20  # seconds: more than the stop_timeout that a service has by itself


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """A server of its own, which keeps nothing; yields its URL."""
    port = str(free_port())
    with (folder / "redis.log").open("w") as log:
        server = subprocess.Popen(["redis-server", "--port", port, "--save", ""], cwd=folder, stdout=log)
    try:
        eventually(lambda: "Ready to accept connections" in (folder / "redis.log").read_text())
        yield f"redis://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.matrix
@pytest.mark.parametrize("folder", RECIPES, ids=lambda folder: folder.name)
def test_no_task_is_lost_or_done_twice_over_restarts(project: Project, tmp_path: Path, folder: Path) -> None:
    text = (folder / "deploy.toml").read_text()
    needs = re.search(r"(?m)^# needs: (.+)$", text)
    assert needs
    if missing := [need for need in needs[1].split(", ") if not is_met(need, folder)]:
        pytest.skip(f"needs {', '.join(missing)}")

    with redis(tmp_path) as url:
        env = dict.fromkeys(tomllib.loads(text)["service"]["jobs"].get("env", {}), url)
        project.write("tasks.py", (folder / "tasks.py").read_text())
        nginx = f'[nginx]\nlisten = "127.0.0.1:{project.port}"\n'
        project.write("deploy.toml", project.section() + nginx + text.replace("redis://127.0.0.1:6379", url))
        project.zddeploy()
        send(project, env)
        eventually(lambda: done(project))
        for _ in range(RESTARTS):
            project.zddeploy("restart")
        eventually(lambda: len(done(project)) >= SHORT + 1, 180)
        project.zddeploy("down")

    assert sorted(done(project)) == list(range(SHORT + 1))
    said = project.log("jobs-*.log")
    assert "killing what is left" not in said
    assert said.count("the app ended: exit status 0") == said.count("the app ended")


def send(project: Project, env: dict[str, str]) -> None:
    command: list[str | Path] = [BIN / "python", "-c", f"import tasks; tasks.send([{LONG}] + {SHORT} * [0.2])"]
    subprocess.run(command, cwd=project.folder, env=os.environ | env, check=True)


def done(project: Project) -> list[int]:
    """The numbers of the tasks that are done, as often as they were done."""
    path = project.folder / "done"
    return [int(line) for line in path.read_text().split()] if path.exists() else []
