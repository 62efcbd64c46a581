"""Space that runs out in the middle of a deploy: what clients are led to serves on, and with room all is in order."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.system.project import (
    PLAIN,
    PLAIN_TCP,
    PLAIN_UNIX,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    configure,
    service,
    version,
)
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")

SETTINGS: dict[str, Any] = {"health_path": "/", "keep_warm": "0s"}
SERVICES: dict[str, dict[str, Any]] = {
    "fd": PLAIN,
    "unix": PLAIN_UNIX,
    "tcp": PLAIN_TCP,
    "stop-first": PLAIN | {"order": "stop-first"},
}
LIMITS = {"inodes": "nr_inodes=150", "blocks": "size=300k"}
DISKS = ["R inodes", "R blocks", "S inodes", "S blocks"]

# Each kind of service on each disk; `./dev test` tries each kind and each disk once.
ONCE = set(zip(DISKS, SERVICES, strict=True))
on_each_disk = pytest.mark.parametrize(
    ("disk", "kind"),
    [pytest.param(*pair, marks=() if pair in ONCE else pytest.mark.matrix) for pair in product(DISKS, SERVICES)],
    indirect=["disk"],
)


class Small(NamedTuple):
    """A disk where R or S is, which can be filled by a command."""

    folder: Path
    what: str

    @property
    def fill(self) -> str:
        return f"python -S {self.folder.parent}/fill.py {self.what} {self.folder}"

    def make_room(self) -> None:
        for path in self.folder.glob("filler*"):
            path.unlink()


@pytest.fixture(params=DISKS)
def disk(project: Project, request: pytest.FixtureRequest) -> Iterator[Small]:
    name, what = request.param.split()
    folder = project.folder / name
    folder.mkdir(mode=0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"{LIMITS[what]},mode=755", "tmpfs", folder], check=True)
    small = Small(folder, what)
    yield small
    small.make_room()
    project.zddeploy("down", code=None)
    subprocess.run(["umount", "-l", folder], check=True)


def deployed(project: Project, kind: str = "fd", **keys: object) -> None:
    # Without a log of requests, which fills a disk of 300 kB by itself if the machine is slow.
    configure(project, service("web", **SETTINGS | SERVICES[kind] | keys), nginx="access_log = false\n")
    project.zddeploy()
    version(project, 2)


def hook(project: Project, name: str, command: str) -> None:
    project.replace("deploy.toml", "[zdd]\n", f"[zdd]\n{name} = '{command}'\n")


def deploy(project: Project, codes: tuple[int, ...], kind: str = "fd") -> int:
    """Deploy under load: nothing is lost, and nobody is shown a traceback."""
    with project.load(rate=300) as load:
        result = project.zddeploy(code=None)
        report = load.stop()
    assert "mistake in zdd" not in result.stderr
    (assert_only_reloads_cost if kind == "tcp" else assert_nothing_lost)(report)
    assert result.returncode in codes, f"exit {result.returncode}: {result.stderr}"
    return result.returncode


def with_room(project: Project, disk: Small, *serve: str) -> None:
    """With room again a recovery brings all in order, and the next deploy is like any other."""
    disk.make_room()
    recovered = project.zddeploy("recover", code=None)
    assert set(project.serving()) == set(serve)
    # A stop-first version that is started again without [release] loads the code of now: only a person can mend that.
    problems = project.status()["problems"]
    assert all("runs the code of deploy 2, which was rejected" in words for words in problems)
    assert recovered.returncode == (5 if problems else 0)
    for name in ("before_start", "after_switch"):
        (project.folder / "deploy.toml").write_text(
            "".join(line for line in lines(project) if not line.startswith(f"{name} ="))
        )
    version(project, 3)
    project.zddeploy()
    eventually(lambda: "X-Release: 3\r\n" in project.get())
    assert project.status()["problems"] == []


def lines(project: Project) -> list[str]:
    return (project.folder / "deploy.toml").read_text().splitlines(keepends=True)


@on_each_disk
def test_a_switch_that_cannot_be_kept_is_undone_without_space(project: Project, disk: Small, kind: str) -> None:
    deployed(project, kind)
    hook(project, "after_switch", f"{disk.fill}; exit 1")

    # 5: with a full S the text of before cannot be given back to nginx, so both versions run on
    deploy(project, (1, 5) if kind == "tcp" and disk.folder.name == "S" else (1,), kind)

    assert "web-1" in project.serving()
    with_room(project, disk, "web-1")


@on_each_disk
def test_a_good_version_is_committed_without_space(project: Project, disk: Small, kind: str) -> None:
    deployed(project, kind)
    hook(project, "after_switch", disk.fill)

    deploy(project, (0,), kind)

    assert "web-2" in project.serving()
    with_room(project, disk, "web-2")


def test_more_slots_are_taken_back_without_space(project: Project, disk: Small) -> None:
    deployed(project)
    project.replace("deploy.toml", 'keep_warm = "0s"', 'keep_warm = "0s"\ninstances = 3')
    hook(project, "after_switch", f"{disk.fill}; exit 1")

    deploy(project, (1, 5) if disk.folder.name == "S" else (1,), "tcp")

    with_room(project, disk, "web-1")


def test_fewer_slots_are_committed_without_space(project: Project, disk: Small) -> None:
    deployed(project, instances=3)
    project.replace("deploy.toml", "instances = 3", "instances = 1")
    hook(project, "after_switch", disk.fill)

    deploy(project, (0,), "tcp")

    with_room(project, disk, "web-4")


@on_each_disk
def test_without_space_before_the_switch_the_old_version_serves(project: Project, disk: Small, kind: str) -> None:
    deployed(project, kind)
    hook(project, "before_start", disk.fill)

    code = deploy(project, (0, 1), kind)

    with_room(project, disk, "web-1" if code else "web-2")


@on_each_disk
def test_an_app_that_uses_up_all_space_as_it_starts_costs_nothing(project: Project, disk: Small, kind: str) -> None:
    deployed(project, kind)
    run = str(SERVICES[kind]["run"])
    project.replace("deploy.toml", f'run = "{run}"', f"run = \"sh -c '{disk.fill}; exec {run}'\"")

    code = deploy(project, (0, 1), kind)

    project.replace("deploy.toml", f"run = \"sh -c '{disk.fill}; exec {run}'\"", f'run = "{run}"')
    with_room(project, disk, "web-1" if code else "web-2")


@pytest.mark.parametrize("disk", ["R inodes"], indirect=True)
def test_the_first_version_that_cannot_be_kept_leaves_nothing(project: Project, disk: Small) -> None:
    configure(project, service("web", **SETTINGS | PLAIN))
    hook(project, "after_switch", f"{disk.fill}; exit 1")

    project.zddeploy(code=1)

    assert not os.path.lexists(project.runtime / "current")
    assert project.status()["state"] == "nothing"
