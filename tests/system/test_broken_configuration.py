"""A configuration file that is broken or gone while the site serves: the one last deployed is enough to operate it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable

import pytest

from tests.waiting import eventually

from .project import BIN, LIGHT, PLAIN, Project, assert_nothing_lost, configure, service, version
from .test_unknown_user import zddeploy as by_unknown_user

WEB = service("web", **PLAIN, health_path="/", keep_warm="0s")
USED = "the configuration of deploy 1, the last one deployed, is used instead of today's: "
BROKEN: dict[str, Callable[[str], str]] = {
    "a typing error": lambda text: text.replace("run =", "rnu ="),
    "not TOML": lambda text: f"<<<<<<< HEAD\n{text}",
    "a wrong value": lambda text: text.replace('keep_warm = "0s"', 'keep_warm = "soon"'),
    "half a file": lambda text: text[: text.index("[nginx]")],
}
LOOKING = ("status", "history", "logs", "exec web -- true")
CHANGING = ("pause --max 1s", "resume", "maintenance on", "maintenance off", "recover")


def spoil(project: Project, how: str) -> None:
    file = project.folder / "deploy.toml"
    file.write_text(BROKEN[how](file.read_text()))


@pytest.mark.parametrize("how", BROKEN)
def test_the_site_is_operated_with_the_configuration_last_deployed(project: Project, how: str) -> None:
    configure(project, WEB)
    project.zddeploy()
    good = (project.folder / "deploy.toml").read_text()
    spoil(project, how)

    for command in CHANGING:
        assert project.zddeploy(*command.split()).stdout.startswith(USED)
    for command in LOOKING:
        assert project.zddeploy(*command.split()).stderr.startswith(USED)
    assert project.zddeploy("exec", "web", "--", "echo", "this alone").stdout == "this alone\n"
    status = project.zddeploy("status", "--json")
    assert json.loads(status.stdout)["state"] == "serving"
    assert status.stderr.startswith(USED)
    assert "shop is down" in project.zddeploy("down").stdout
    assert "serves deploy 2" in project.zddeploy("up").stdout

    refused = [project.zddeploy(command, code=2) for command in ("deploy", "check", "config")]
    assert [USED in result.stdout + result.stderr for result in refused] == [False, False, False]
    project.write("deploy.toml", good)


def test_a_file_that_never_ends_is_not_waited_for(project: Project) -> None:
    file = project.folder / "deploy.toml"
    os.mkfifo(file)

    assert "it is no regular file" in project.zddeploy("status", code=2).stderr
    file.unlink()


def test_a_broken_file_does_not_stop_a_rollback_or_a_restart(project: Project) -> None:
    configure(project, WEB, nginx='[release]\nsource = "code"\n')
    (project.folder / "code").mkdir()
    for name in ("plain.py", "VERSION"):
        (project.folder / name).rename(project.folder / "code" / name)
    project.zddeploy()
    project.write("code/VERSION", "2")
    project.replace("deploy.toml", 'keep_warm = "0s"', 'keep_warm = "0s"\nenv = {COLOUR = "blue"}')
    project.zddeploy()
    good = (project.folder / "deploy.toml").read_text()
    spoil(project, "a typing error")

    with project.load(**LIGHT) as load:
        project.zddeploy("restart")
        rolled_back = project.zddeploy("rollback").stdout
        report = load.stop()

    assert_nothing_lost(report)
    assert "the configuration of deploy 3, the last one deployed, is used" in rolled_back
    eventually(lambda: "X-Release: 1\r\n" in project.get())
    assert project.zddeploy("exec", "web", "--", "sh", "-c", "echo ${COLOUR-none}").stdout.endswith("none\n")
    project.write("deploy.toml", good)


def test_what_was_never_deployed_has_nothing_to_fall_back_on(project: Project) -> None:
    configure(project, WEB)
    spoil(project, "a typing error")

    assert "rnu is not a known key" in project.zddeploy("status", code=2).stderr
    (project.folder / "deploy.toml").unlink()
    assert "no deploy.toml or deploy.conf" in project.zddeploy("status", code=2).stderr


def test_another_file_in_the_folder_of_a_broken_one_takes_nothing_over(project: Project) -> None:
    """Its state_dir belongs to another configuration file: only the claim counts."""
    configure(project, WEB)
    project.zddeploy()
    project.write("other/deploy.toml", f"{(project.folder / 'deploy.toml').read_text()}\nbroken")

    refused = project.zddeploy("-c", "other/deploy.toml", "down", code=2)

    assert "not TOML" in refused.stderr
    version(project, 2)
    assert "X-Release: 1\r\n" in project.get()


def test_a_file_that_is_gone_is_not_needed_wherever_the_state_is(project: Project) -> None:
    """Its state_dir and runtime_dir stood in it, and nowhere else that a name would lead to."""
    configure(project, WEB)
    project.zddeploy()
    file = project.folder / "deploy.toml"
    file.rename(project.folder / "gone")

    for command in LOOKING:
        assert project.zddeploy(*command.split()).stderr.startswith(USED)
    assert project.zddeploy("-c", str(file), "status").stderr.startswith(USED)
    assert "no deploy.toml or deploy.conf" in project.zddeploy("deploy", code=2).stderr
    assert "shop is down" in project.zddeploy("down").stdout
    (project.folder / "gone").rename(file)


def test_in_a_folder_that_was_removed_the_file_must_be_named(project: Project) -> None:
    """A shell stays in a release that was pruned, or in a workspace that CI has cleared."""
    configure(project, WEB)
    project.zddeploy()

    def in_removed(*args: str) -> subprocess.CompletedProcess[str]:
        gone = project.folder / "gone"
        gone.mkdir()
        script = 'rmdir "$PWD"; exec "$0" "$@"'
        argv = ["sh", "-c", script, str(BIN / "zddeploy"), *args]
        return subprocess.run(argv, cwd=gone, capture_output=True, text=True, check=False)

    for args in (("status",), ("-c", "../deploy.toml"), ("init",)):
        refused = in_removed(*args)
        assert (refused.returncode, refused.stderr.splitlines()[0]) == (2, "zddeploy: the current folder was removed")
    for command in ("status", "restart", "exec web -- true"):
        done = in_removed("-c", str(project.folder / "deploy.toml"), *command.split())
        assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="root can be another user")
def test_a_folder_that_may_not_be_searched_is_not_said_to_be_empty(project: Project) -> None:
    configure(project, WEB)
    project.folder.chmod(0o700)

    refused = by_unknown_user(project, "status", code=2)

    project.folder.chmod(0o755)
    assert f"cannot look into {project.folder}: Permission denied" in refused
