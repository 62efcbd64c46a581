"""What the README says is so: its commands run as they are written, its configurations are understood."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from zdd.conf import read

from .project import BIN, Project

ROOT = Path(__file__).parents[2]
APP = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_its_first_service_is_deployed_looked_at_and_ended_as_it_says(project: Project) -> None:
    zdd = project.section()
    project.write("deploy.toml", zdd + blocks("toml")[0].replace("127.0.0.1:8080", f"127.0.0.1:{project.port}"))
    project.write("app.py", APP)
    script = next(block for block in blocks("sh") if "zddeploy rollback" in block)

    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"}
    run = subprocess.run(
        ["sh", "-ec", script], cwd=project.folder, env=env, capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert "shop serves deploy 3" in run.stdout
    assert run.stdout.endswith("shop is down\n")


@pytest.mark.parametrize("number", range(len(blocks("toml"))))
def test_its_configurations_are_understood(tmp_path: Path, number: int) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "deploy.toml").write_text(blocks("toml")[number])

    assert read.load(folder / "deploy.toml").services


def test_every_command_it_names_exists() -> None:
    from zdd.cli.main import COMMANDS

    named = set(re.findall(r"`?zddeploy ([a-z]+)", "\n".join(blocks("sh"))))

    assert named <= set(COMMANDS)


def test_its_test_command_is_what_ci_runs() -> None:
    assert "./dev test" in [block.strip() for block in blocks("sh")]
    assert "./dev test" in (ROOT / ".ci/run").read_text()
