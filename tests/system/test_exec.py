"""exec: a command beside the app, in its release, with its environment, as its user."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from . import code
from .classic import ClassicProject
from .project import BIN, PLAIN, WORKER, Project, configure, service


def test_it_runs_in_the_live_release_with_the_environment_of_its_app(project: Project) -> None:
    source = code.configure(project, env={"COLOUR": "red"}, env_file="web.env")
    project.write("web.env", "SIZE=7\n")
    project.zddeploy()
    source.commit(2)

    shown = project.zddeploy(
        "exec", "web", "--", "sh", "-c", "echo $COLOUR $SIZE $ZDD_INSTANCE; cat VERSION; echo; pwd"
    ).stdout

    live = os.readlink(project.state / "current")
    assert shown.splitlines() == ["red 7 web-1", "1", str(project.state / live)]


def test_nothing_else_of_our_environment_is_there(project: Project) -> None:
    configure(project, service("web", **PLAIN))
    project.zddeploy()

    run = subprocess.run(
        [BIN / "zddeploy", "exec", "web", "env"],
        cwd=project.folder,
        env=os.environ | {"CI_SECRET": "x1", "TERM": "xterm", "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr
    assert "CI_SECRET" not in run.stdout
    assert "TERM=xterm\n" in run.stdout
    assert f"PATH={BIN}:" in run.stdout


@pytest.mark.parametrize(
    ("script", "status"), [("exit 7", 7), ("kill -TERM $$", -signal.SIGTERM), ("kill -PIPE $$", -signal.SIGPIPE)]
)
def test_the_exit_code_is_the_command_s(project: Project, script: str, status: int) -> None:
    configure(project, service("web", **PLAIN))
    project.zddeploy()

    assert project.zddeploy("exec", "web", "--", "sh", "-c", script, code=None).returncode == status


def test_options_of_the_command_are_its_own(project: Project) -> None:
    configure(project, service("web", **PLAIN))
    project.zddeploy()

    conf = str(project.folder / "deploy.toml")
    assert project.zddeploy("exec", "-c", conf, "web", "echo", "-c", "--json", "--", "-v").stdout == "-c --json -- -v\n"
    assert "Usage: echo" in project.zddeploy("-c", conf, "exec", "web", "--", "echo", "--help").stdout


def test_what_is_typed_gets_to_it(project: Project) -> None:
    configure(project, service("jobs", **WORKER))
    project.zddeploy()

    run = subprocess.run(
        [BIN / "zddeploy", "exec", "jobs", "cat"],
        cwd=project.folder,
        input="typed",
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "typed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run services as other users")
def test_it_runs_as_the_service_s_user(project: Project) -> None:
    configure(project, service("web", **PLAIN | {"run": "/usr/bin/python3 -S plain.py {fd}"}, user="nobody"))
    project.zddeploy()

    script = "id -un; id -Gn; echo $USER; umask"
    command = [str(BIN / "zddeploy"), "exec", "web", "--", "sh", "-c", script]
    run = subprocess.run(command, cwd=project.folder, extra_groups=[4], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["nobody", "nogroup", "nobody", "0022"]


def test_a_classic_service_has_its_folder(classic: ClassicProject) -> None:
    classic.zddeploy()

    assert classic.zddeploy("exec", "web", "--", "pwd").stdout == f"{classic.folder}\n"


def test_what_cannot_be_run_is_told(project: Project) -> None:
    configure(project, service("web", **PLAIN))
    assert "no version of web is deployed" in project.zddeploy("exec", "web", "--", "true", code=2).stderr
    project.zddeploy()

    assert "has no service 'nosuch'" in project.zddeploy("exec", "nosuch", "--", "true", code=2).stderr
    assert "Missing argument" in project.zddeploy("exec", "web", code=2).stderr
    assert "Missing argument" in project.zddeploy("exec", "web", "--", code=2).stderr
    cannot = project.zddeploy("exec", "web", "--", "nosuch", code=127).stderr
    assert f"cannot run 'nosuch' in {project.folder}: No such file or directory" in cannot
