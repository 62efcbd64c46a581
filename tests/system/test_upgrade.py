"""Another zddeploy than the one that started what runs: newer, or older."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import zdd
from tests.waiting import eventually

from .project import BIN, LIGHT, PLAIN, Project, assert_nothing_lost, configure, service, version

Zddeploy = Callable[..., str]


@pytest.fixture
def next_one(project: Project, tmp_path: Path) -> Iterator[Callable[[int], Zddeploy]]:
    """Installs a zddeploy that speaks version 2 to what it has started, and all versions from `oldest` on."""

    def install(oldest: int) -> Zddeploy:
        venv.create(tmp_path / "venv", symlinks=True)
        site = next((tmp_path / "venv/lib").glob("python*/site-packages"))
        shutil.copytree(Path(zdd.__file__).parent, site / "zdd", ignore=shutil.ignore_patterns("__pycache__"))
        (site / "what-it-needs.pth").write_text(sysconfig.get_path("purelib") + "\n")
        keeper = site / "zdd/keeper/__init__.py"
        text = keeper.read_text()
        assert "\nVERSION = 1 " in text
        assert "\nOLDEST = 1 " in text
        keeper.write_text(
            text.replace("\nVERSION = 1 ", "\nVERSION = 2 ").replace("\nOLDEST = 1 ", f"\nOLDEST = {oldest} ")
        )

        def newer(*args: str, code: int = 0) -> str:
            return run(project, tmp_path / "venv/bin/python", *args, code=code)

        return newer

    yield install
    run(project, tmp_path / "venv/bin/python", "down", code=None)


def run(project: Project, python: Path, *args: str, code: int | None) -> str:
    path = f"{python.parent}:{BIN}:{os.environ['PATH']}:/usr/sbin"
    argv = [str(python), "-m", "zdd", *args]
    env = os.environ | {"PATH": path}
    result = subprocess.run(argv, cwd=project.folder, env=env, capture_output=True, text=True, check=False)
    said = result.stdout + result.stderr
    assert code in (None, result.returncode), f"exit {result.returncode}\n{said}"
    return said


def test_a_newer_one_deploys_over_what_runs_rolls_back_to_it_and_ends_it(
    project: Project, next_one: Callable[[int], Zddeploy]
) -> None:
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    newer = next_one(1)

    assert re.search("web-1 +serving", newer("status"))
    with project.load(**LIGHT) as load:
        version(project, 2)
        newer()
        eventually(lambda: "web 2" in project.get())
        assert re.search("web-1 +warm", newer("status"))
        assert "web-1" in newer("rollback")
        eventually(lambda: "web 1" in project.get())
        assert_nothing_lost(load.stop())
    assert newer("down").endswith("shop is down; `zddeploy up` brings it back\n")


def test_an_older_one_goes_on_where_a_newer_one_has_deployed(
    project: Project, next_one: Callable[[int], Zddeploy]
) -> None:
    configure(project, service("web", **PLAIN))
    next_one(1)()

    assert list(project.serving()) == ["web-1"]
    with project.load(**LIGHT) as load:
        project.zddeploy("--strict-drain")
        assert_nothing_lost(load.stop())
    assert list(project.instances()) == ["web-2"]


def test_one_that_does_not_understand_what_runs_says_so_and_touches_nothing(
    project: Project, next_one: Callable[[int], Zddeploy]
) -> None:
    configure(project, service("web", **PLAIN))
    newer = next_one(2)
    newer()

    for command in ("deploy", "status", "restart", "down"):
        refused = project.zddeploy(command, code=2).stderr
        assert "web-1 was started by a newer zddeploy, which this one cannot talk to" in refused
        assert "its `zddeploy down`, then `zddeploy up` with this one" in refused
    assert "web 1" in project.get()
    newer("down")

    project.zddeploy()
    assert "web-2 was started by a much older zddeploy" in newer("status", code=2)
    assert "web 1" in project.get()
