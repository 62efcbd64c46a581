"""The umask of whoever calls zddeploy decides nothing but what commands of classic services find."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd.conf import read

from .classic import ClassicProject, web
from .code import Code, configure
from .project import Project
from .test_access import PLAIN, PYTHON

MASKS = [0o000, 0o027, 0o077]

pytestmark = pytest.mark.skipif(not os.path.exists(PYTHON), reason=f"{PYTHON} is not there for other users to run")
ROOT = os.geteuid() == 0


@contextlib.contextmanager
def under(mask: int) -> Iterator[None]:
    """Have this umask, and give it to what is started."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes(*folders: Path) -> dict[str, str]:
    """The kind, mode and owner of all that is in these folders, by name; commits and times are left out."""
    found = {}
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            if "/objects/" not in str(path):
                status = path.lstat()
                name = re.sub("[0-9a-f]{12}", "COMMIT", str(path))
                found[name] = f"{stat.filemode(status.st_mode)} {status.st_uid}"
    return found


def shop(project: Project, **more: object) -> Code:
    """Have a service of another user, built from git, with assets, shared paths and hooks, and zdd's own nginx."""
    release = (
        'build = ["umask > built; mkdir -p public/made; echo made > public/made/app.css", "touch key; chmod 600 key"]\n'
        'shared = ["media/", "var/data/"]\nassets = ["public"]\n'
    )
    hooks = "".join(f'{hook} = "umask >> {project.folder}/hooks"\n' for hook in ("before_start", "after_deploy"))
    user = {"user": "nobody"} if ROOT else {}
    code = configure(project, release=release, zdd=hooks, **{**PLAIN, **user, "before_start": "cat built", **more})
    code.commit(1, public__site__css="css")
    return code


def serves(project: Project, release: str) -> None:
    eventually(lambda: f"X-Release: {release}\r\n" in project.get())
    assert project.get("/public/made/app.css").endswith("\r\n\r\nmade\n")
    assert project.get("/public/site/css").endswith("\r\n\r\ncss")


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: f"{mask:03o}")
def test_all_that_is_made_has_the_modes_that_it_has_under_022(project: Project, mask: int) -> None:
    shop(project)
    found = []
    for each in (0o022, mask):
        with under(each):
            project.zddeploy()
            serves(project, "1")
            found.append(modes(project.state, project.runtime))
            project.zddeploy("down")
        for folder in (project.state, project.runtime):
            shutil.rmtree(folder, ignore_errors=True)

    assert found[1] == found[0]
    assert set((project.folder / "hooks").read_text().split()) == {"0022"}
    # Sockets, and the log of an app that runs as another user, have access lists: their mask shows as the group's bits.
    listed = {name for name, mode in found[1].items() if mode[0] in "ls" or name.endswith("logs/web-1.log")}
    open_to_others = [name for name, mode in found[1].items() if mode[8] == "w" and mode[0] != "l"]
    open_to_groups = [name for name, mode in found[1].items() if mode[5] == "w" and name not in listed]
    assert open_to_others + open_to_groups == []


def made_before(project: Project, mask: int) -> None:
    """Have releases, assets and shared paths be as a zddeploy before 0.2 made them under this umask."""
    for name in ("releases", "assets", "shared"):
        for path in (project.state / name, *(project.state / name).rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~mask)
    section = read.load(project.folder / "deploy.toml").release
    assert section
    for marker in project.state.glob("releases/*.complete"):
        command = ["git", "-C", section.source, "rev-parse", marker.name.removesuffix(".complete")]
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        made_of = json.dumps([commit, section.build, section.shared])
        marker.write_text(hashlib.sha256(made_of.encode()).hexdigest() + "\n")


@pytest.mark.skipif(not ROOT, reason="only root can run services as other users")
@pytest.mark.parametrize("mask", MASKS[1:], ids=lambda mask: f"{mask:03o}")
def test_what_an_older_zddeploy_made_under_another_umask_is_mended(project: Project, mask: int) -> None:
    shop(project, user="root")
    project.zddeploy()
    release = project.status()["release"]
    made_before(project, mask)
    project.replace("deploy.toml", 'user = "root"', 'user = "nobody"')

    project.zddeploy()

    serves(project, "1")
    assert project.status()["release"] == f"{release}-2"
    assert project.zddeploy("rollback").returncode == 0


def test_a_release_of_before_that_is_open_is_used_again(project: Project) -> None:
    shop(project)
    project.zddeploy()
    release = project.status()["release"]
    made_before(project, 0o022)

    project.zddeploy()

    assert project.status()["release"] == release


@pytest.mark.parametrize("mask", [0o022, *MASKS], ids=lambda mask: f"{mask:03o}")
def test_only_commands_of_classic_services_have_the_umask_of_the_caller(classic: ClassicProject, mask: int) -> None:
    start = f"sh -c 'umask >> started; exec \"$@\"' sh {web('web')}"
    classic.configure(web={"start": start, "stop": "sh -c 'umask >> stopped; kill $1' sh"})
    with under(mask):
        classic.zddeploy()
        classic.release("2")
        classic.zddeploy()
        classic.zddeploy("down")

    assert (classic.folder / "started").read_text().split() == [f"0{mask:03o}"] * 2
    assert set((classic.folder / "stopped").read_text().split()) == {f"0{mask:03o}"}


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: f"{mask:03o}")
def test_an_exec_has_the_umask_that_the_app_has(project: Project, mask: int) -> None:
    configure(project)
    with under(mask):
        project.zddeploy()

        assert project.zddeploy("exec", "web", "--", "sh", "-c", "umask").stdout == "0022\n"
