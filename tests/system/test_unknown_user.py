"""A user whom passwd does not contain, as containers have them: all works where [zdd] says where the state is."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import zdd

from .project import Project, configure, service
from .stranger import PYTHON, needs_root

pytestmark = needs_root

UNKNOWN = 4321
WEB = service("web", run=f"{PYTHON} -S plain.py {{fd}}", health_path="/", keep_warm="0s")
SOURCE, PACKAGES = Path(zdd.__file__).parents[1], sysconfig.get_path("purelib")


def zddeploy(project: Project, *args: str, code: int = 0) -> str:
    """Run zddeploy as that user; returns what it says."""
    done = subprocess.run(
        ["setpriv", "--reuid", str(UNKNOWN), "--regid", str(UNKNOWN), "--clear-groups", PYTHON, "-m", "zdd", *args],
        cwd=project.folder,
        env={"PATH": "/usr/sbin:/usr/bin:/bin", "PYTHONPATH": f"{SOURCE}:{PACKAGES}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "mistake in zdd" not in done.stderr
    return done.stdout + done.stderr


def give(project: Project) -> None:
    for path in (project.folder, *project.folder.rglob("*")):
        os.chown(path, UNKNOWN, UNKNOWN)


def test_with_a_state_dir_every_command_works(project: Project) -> None:
    configure(project, WEB)
    give(project)

    assert "0 errors" in zddeploy(project, "check")
    assert "serves deploy 1" in zddeploy(project)
    assert "web 1" in project.get()
    environment = zddeploy(project, "exec", "web", "--", "env").splitlines()
    assert {"HOME=/", f"USER={UNKNOWN}"} <= set(environment)
    for command in ("restart", "status", "pause --max 1s", "resume", "maintenance on", "maintenance off", "logs", "up"):
        zddeploy(project, *command.split())
    assert str(UNKNOWN) in zddeploy(project, "history")
    assert "shop is down" in zddeploy(project, "down")


def test_without_one_the_key_is_named(project: Project) -> None:
    configure(project, WEB)
    text = (project.folder / "deploy.toml").read_text()
    project.write("deploy.toml", text[text.index("[nginx]") :])
    give(project)

    for command in ("deploy", "status", "check", "down", "up"):
        said = zddeploy(project, command, code=2)
        assert f"passwd does not contain user {UNKNOWN}" in said
        assert "set state_dir in the [zdd] section" in said
    assert "--user NAME" in zddeploy(project, "enable", code=2)
    project.write("deploy.toml", project.section() + text[text.index("[nginx]") :])


def test_a_group_that_cannot_be_resolved_is_named(project: Project) -> None:
    configure(project, WEB.replace("keep_warm", 'group = "www-data"\nkeep_warm'))
    give(project)

    said = zddeploy(project, code=2)

    assert f"[service.web] group = 'www-data': passwd does not contain us, user {UNKNOWN}" in said
