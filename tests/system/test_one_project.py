"""One configuration file is one project, by whatever path it is reached, and whoever calls."""

from __future__ import annotations

import json
import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import eventually

from .project import APPS, LIGHT, PLAIN, Project, assert_nothing_lost, service


@pytest.fixture
def moving(project: Project) -> Iterator[Project]:
    """A project in a folder `app`, which can be moved away, with its state and sockets beside that."""
    shutil.copytree(APPS, project.folder / "app/code")
    project.write("app/code/VERSION", "1")
    listen = f'[nginx]\nlisten = "127.0.0.1:{project.port}"\n'
    web = service("web", **PLAIN, cwd="code", env_file="secrets", health_path="/")
    project.write("app/secrets", "MODE=one\n")
    project.write("app/deploy.toml", project.section() + listen + web)
    yield project
    for path in project.folder.glob("*/deploy.toml"):
        project.zddeploy("-c", str(path), "down", code=None)


def test_a_project_is_reached_through_a_link(moving: Project) -> None:
    moving.zddeploy("-c", "app/deploy.toml")
    (moving.folder / "link").symlink_to("app")

    with moving.load(**LIGHT) as load:
        assert "deploy 1, serving" in moving.zddeploy("-c", "link/deploy.toml", "status").stdout
        moving.zddeploy("-c", "link/deploy.toml")
        moving.zddeploy("-c", "app/deploy.toml")
        assert_nothing_lost(load.stop())

    assert "deploy 3, serving" in moving.zddeploy("-c", "link/deploy.toml", "status").stdout


def test_a_project_whose_folder_is_renamed_goes_on_and_starts_what_its_deploy_had(moving: Project) -> None:
    moving.zddeploy("-c", "app/deploy.toml")
    (moving.folder / "app").rename(moving.folder / "moved")
    moved = moving.folder / "moved/deploy.toml"
    (moving.folder / "moved/secrets").unlink()

    shown = moving.zddeploy("-c", str(moved), "status").stdout
    assert "deploy 1, serving" in shown
    assert shown.count("which is gone") == 1
    with moving.load(**LIGHT) as load:
        shown = moving.zddeploy("-c", str(moved), "restart").stdout
        assert_nothing_lost(load.stop())

    assert "deploy.toml has changed" not in shown
    about = json.loads(moving.get("/about").partition("\r\n\r\n")[2])
    assert (about["cwd"], about["env"]["MODE"]) == (f"{moving.folder}/moved/code", "one")
    assert "which is gone" not in moving.zddeploy("-c", str(moved), "status").stdout


def test_another_configuration_of_the_same_name_is_still_refused(moving: Project) -> None:
    moving.zddeploy("-c", "app/deploy.toml")
    shutil.copytree(moving.folder / "app", moving.folder / "copy")

    refused = moving.zddeploy("-c", "copy/deploy.toml", code=2).stderr

    assert f"belongs to {moving.folder}/app/deploy.toml" in refused
    shutil.rmtree(moving.folder / "copy")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused as root")
def test_root_takes_no_site_over_that_a_user_has_deployed_from_the_same_file(project: Project) -> None:
    nobody = pwd.getpwnam("nobody")
    name = f"shop{os.getpid()}"
    theirs = Path("/run/zdd") / name
    made = [folder for folder in (theirs.parent, theirs) if not folder.exists()]
    path = project.write("deploy.toml", f'[zdd]\nproject = "{name}"\n' + service("web", **PLAIN))
    try:
        theirs.mkdir(parents=True)
        (theirs / "owner").write_text(json.dumps({"conf": str(path), "uid": nobody.pw_uid, "boot_id": "any"}))
        for one in (path, theirs, theirs / "owner"):
            os.chown(one, nobody.pw_uid, -1)

        for command in ("deploy", "status", "down"):
            refused = project.zddeploy(command, code=2).stderr
            assert f"{path} is deployed by nobody" in refused
            assert f"sudo -u nobody zddeploy -c {path}" in refused
        assert not Path("/var/lib/zdd", name).exists()
        eventually(lambda: sorted(os.listdir(theirs)) == ["owner"])
    finally:
        for folder in reversed(made):
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(f"/var/lib/zdd/{name}", ignore_errors=True)
        path.unlink()
