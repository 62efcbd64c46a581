"""A build is killed at some moment; what comes after must find a complete release or none."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd.host import process

from .house import House, Repository, write

BUILD = """
import sys
from pathlib import Path
from tests.release.house import House
house = House(Path(sys.argv[1]))
print(house.build(house.releases(sys.argv[2], shared=["media/"], build=sys.argv[3:])), flush=True)
"""
ROOT = Path(__file__).parent.parent.parent


def start(house: House, source: Path, *build: str) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", BUILD, str(house.folder), str(source), *build]
    return subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE)


def kill(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()


@pytest.mark.parametrize("recovered", [True, False])
def test_a_build_killed_half_way_is_ended_and_built_anew(house: House, repository: Repository, recovered: bool) -> None:
    repository.commit(app_py="one")
    command = "touch made; setsid sleep 60 & touch ../../up; while :; do date >>growing; done"
    child = start(house, repository.path, command)
    eventually((house.state / "up").exists)
    kill(child)
    releases = house.releases(repository.path, build=["touch other"])
    revision = releases.resolve()
    path = releases.path(revision.id)
    assert len(process.with_environment("ZDD_BUILD", path)) >= 2  # what was started goes on building
    assert releases.ids() == []

    if recovered:
        assert releases.discard_half_built() == [revision.id]
        assert house.left() == []
    releases.build(revision, house.log)

    assert process.with_environment("ZDD_BUILD", path) == []
    assert sorted(os.listdir(path)) == ["app.py", "other"]
    assert releases.ids() == [revision.id]


def test_killed_at_any_moment_there_is_a_complete_release_or_none(house: House, tmp_path: Path) -> None:
    for number in range(200):
        write(tmp_path / f"code/{number % 7}/{number}", "text" * 100)
    build = ["touch a", "touch b"]
    releases = house.releases(tmp_path / "code", shared=["media/"], build=build)
    begun = time.monotonic()
    start(house, tmp_path / "code", *build).communicate()
    whole = time.monotonic() - begun
    outcomes = set()

    for moment in range(12):
        before = set(releases.ids())
        child = start(house, tmp_path / "code", *build)
        time.sleep(whole * 0.08 * moment)  # from at once on
        kill(child)
        new = set(releases.ids()) - before
        outcomes.add(len(new))
        for release in new:
            path = Path(releases.path(release))
            assert sum(len(names) for _, _, names in os.walk(path)) == 202
            assert (path / "media").is_symlink()
        releases.discard_half_built()
        assert house.notices == []
        assert house.left() == sorted(f"{name}{end}" for name in releases.ids() for end in ("", ".complete"))

    assert 0 in outcomes


def test_a_killed_fetch_does_not_hinder_the_next(house: House, repository: Repository) -> None:
    for number in range(20):
        (repository.path / f"big{number}").write_bytes(os.urandom(200_000))
    commit = repository.commit(app_py="one")

    for moment in range(6):
        child = start(house, repository.path, "true")
        eventually((house.state / "repo.git").exists)
        time.sleep(0.01 * moment)
        kill(child)

    assert house.build(house.releases(repository.path)) == commit[:12]
