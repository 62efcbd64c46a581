"""A disk that is full or may not be written to: what served serves, and with room again it goes on."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.code import configure as from_git
from tests.system.project import LIGHT, PLAIN, Project, assert_nothing_lost, configure, service, version
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")


@pytest.fixture(params=["R", "S"])
def disk(project: Project, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A disk of 300 kB where the runtime folder or the state is."""
    folder = project.folder / request.param
    folder.mkdir(mode=0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300k,mode=755", "tmpfs", folder], check=True)
    yield folder
    project.zddeploy("down", code=None)
    subprocess.run(["umount", "-l", folder], check=True)


def deployed(project: Project) -> None:
    configure(project, service("web", **PLAIN, health_path="/", keep_warm="0s"))
    project.zddeploy()
    version(project, 2)


def attempt(project: Project) -> None:
    """Deploy under load; whether that can be done or not, nothing is lost, and nobody is shown a traceback."""
    with project.load(**LIGHT) as load:
        result = project.zddeploy(code=None)
        report = load.stop()
    assert "Traceback" not in result.stderr
    assert result.returncode in (0, 1, 2)  # 2: a read-only disk is seen beforehand
    assert result.returncode == 0 or result.stderr.startswith("zddeploy: "), result.stderr
    assert_nothing_lost(report)


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while os.write(fd, b"x" * 1024):
            pass
    os.close(fd)
    assert os.statvfs(path).f_bavail == 0


def test_on_a_full_disk_the_old_version_serves_and_with_room_the_new_one_comes(project: Project, disk: Path) -> None:
    deployed(project)
    fill(disk / "filler")

    attempt(project)
    (disk / "filler").unlink()
    project.zddeploy()

    eventually(lambda: "X-Release: 2\r\n" in project.get())
    assert project.status()["problems"] == []


def test_a_build_that_fills_the_disk_is_told_as_such_and_runs_on_failure(project: Project) -> None:
    project.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=755", "tmpfs", project.state], check=True)
    try:
        hook = f'on_failure = """echo "$ZDD_CAUSE" > {project.folder}/told"""\n'
        code = from_git(project, zdd=hook)
        project.zddeploy()
        project.replace("deploy.toml", "[release]\n", '[release]\nbuild = ["cat /dev/zero > big"]\n')
        code.commit(2)

        refused = project.zddeploy(code=1)

        cause = "build: `cat /dev/zero > big` ended with exit status 1; its log says: No space left on device"
        assert refused.stderr.startswith(f"zddeploy: {cause}\n")
        assert (project.folder / "told").read_text() == f"{cause}\n"
        assert project.events("history", "-n", "1")[0]["cause"] == cause
        assert "X-Release: 1\r\n" in project.get()
    finally:
        project.zddeploy("down", code=None)
        subprocess.run(["umount", "-l", project.state], check=True)


@pytest.mark.parametrize("disk", ["R"], indirect=True)  # S has open logs: the kernel does not let it become so
def test_on_a_disk_that_became_read_only_the_old_version_serves(project: Project, disk: Path) -> None:
    deployed(project)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)

    attempt(project)
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    project.zddeploy()

    eventually(lambda: "X-Release: 2\r\n" in project.get())


def test_without_descriptors_the_old_version_serves(project: Project) -> None:
    deployed(project)
    command = f"ulimit -n 8; exec zddeploy 2> {project.folder}/said"
    env = os.environ | {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}:/usr/sbin"}
    run = subprocess.run(["sh", "-c", command], cwd=project.folder, env=env, capture_output=True, check=False)

    assert run.returncode != 0
    assert "X-Release: 1\r\n" in project.get()
    project.zddeploy()
    eventually(lambda: "X-Release: 2\r\n" in project.get())
