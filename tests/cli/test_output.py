"""Output: for people, for programs, and in a dry run."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from ..system.classic import ClassicProject, snapshot


def test_a_dry_run_prints_the_steps_and_touches_nothing(project: ClassicProject) -> None:
    project.configure(web={}, mail={})
    before = snapshot(project)

    shown = project.zddeploy("--dry-run").stdout
    events = project.events("--dry-run")

    assert snapshot(project) == before
    assert [line.strip() for line in shown.splitlines()] == [event["text"] for event in events]
    steps = [event["step"] for event in events]
    assert steps[0] == "begin"
    assert steps.count("start") == 2
    assert steps[-1] == "commit"
    assert "start web-1" in shown
    assert "wait until healthy: web-1, mail-1" in shown


def test_a_dry_run_of_a_running_project_disturbs_nobody(deployed: ClassicProject) -> None:
    before = deployed.traces(), snapshot(deployed)

    deployed.zddeploy("--dry-run")

    assert (deployed.traces(), snapshot(deployed)) == before


def test_json_is_one_object_a_line_and_the_last_is_the_result(project: ClassicProject) -> None:
    result = project.zddeploy("--json")

    events = [json.loads(line) for line in result.stdout.splitlines()]
    begin = next(event for event in events if event["event"] == "begin")
    assert begin.items() >= {"deploy": 1, "action": "deploy", "project": "shop"}.items()
    assert [event["step"] for event in events if event["event"] == "step"][-1] == "commit"
    healthy = next(event for event in events if event["event"] == "healthy")
    assert (healthy["service"], healthy["instance"]) == ("web", "web-1")
    assert events[-1].items() >= {"event": "result", "outcome": "done", "cause": None, "deploy": 1, "exit": 0}.items()
    assert result.stderr == ""


def test_the_last_object_reports_a_failure_too(project: ClassicProject) -> None:
    project.zddeploy()
    project.configure(web={"start": "sh -c 'exit 7'"})

    result = project.zddeploy("--json", code=1)
    last = json.loads(result.stdout.splitlines()[-1])

    cause = "web: `sh -c 'exit 7'` ended with exit status 7 before it was ready"
    assert last == {"event": "result", "outcome": "undone", "cause": cause, "deploy": 1, "exit": 1}
    assert cause in result.stderr


def test_the_json_of_a_command_that_looks_is_its_answer_and_nothing_else(project: ClassicProject) -> None:
    project.zddeploy()
    project.configure(web={"watch": "yes"})

    for command in ("status", "history"):
        (line,) = project.zddeploy(command, "--json", "-v").stdout.splitlines()
        assert json.loads(line)["deploy"] == 1


def test_down_reports_in_json_that_it_is_done(project: ClassicProject) -> None:
    project.zddeploy()

    last = project.events("down")[-1]

    assert last.items() >= {"event": "result", "outcome": "done", "cause": None, "exit": 0}.items()


def test_verbose_prints_every_command_and_where_it_ran(project: ClassicProject) -> None:
    project.zddeploy()

    shown = project.zddeploy("-v").stdout

    commands = [line.strip() for line in shown.splitlines() if line.startswith("  $ ")]
    start = next(command for command in commands if "classic_web.py web" in command)
    assert start.startswith(f"$ {sys.executable} -I -S ")
    assert start.endswith(f"(in {project.folder})")
    assert any(" -t " in command and f"-c {project.folder}/nginx.conf." in command for command in commands)
    assert any(command.startswith("$ kill ") for command in commands)
    assert "$ " not in project.zddeploy().stdout


def test_the_log_of_a_deploy_has_what_the_screen_omits(project: ClassicProject) -> None:
    project.zddeploy()
    project.configure(web={"start": "sh -c 'exit 7'"})
    project.zddeploy(code=1)

    assert f"$ {sys.executable} -I -S" in project.log("deploy-1.log")
    assert "undone: web: `sh -c 'exit 7'` ended with exit status 7" in project.log("deploy-2.log")


@pytest.mark.parametrize("args", [("--json", "-v", "-c", "CONF", "status"), ("status", "--json", "-v", "-c", "CONF"),
                                  ("-c", "CONF", "status", "--json"), ("--json", "status", "--conf=CONF")])  # fmt: skip
def test_options_work_before_and_after_the_command_from_any_folder(
    deployed: ClassicProject, args: tuple[str, ...]
) -> None:
    conf = str(deployed.folder / "deploy.conf")
    args = tuple(arg.replace("CONF", conf) for arg in args)
    deployed.folder, folder = Path("/"), deployed.folder
    try:
        shown = deployed.zddeploy(*args).stdout
    finally:
        deployed.folder = folder

    assert json.loads(shown)["conf"] == conf


def test_options_of_the_default_command_need_not_name_it(deployed: ClassicProject) -> None:
    shown = deployed.zddeploy("--label", "friday", "--lock-timeout", "5s", "--dry-run").stdout

    assert "start web-2" in shown


@pytest.mark.parametrize(
    ("typed", "hint"), [("stats", "did you mean `zddeploy status`?"), ("web", "zddeploy deploy web")]
)
def test_an_unknown_command_is_answered_with_a_suggestion(deployed: ClassicProject, typed: str, hint: str) -> None:
    said = deployed.zddeploy(typed, code=2).stderr

    assert f"there is no command '{typed}'" in said
    assert hint in said


def test_a_reader_that_leaves_early_is_no_crash(deployed: ClassicProject) -> None:
    read, write = os.pipe()
    os.close(read)
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", "zdd", "status", "-c", str(deployed.folder / "deploy.conf")],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_DUP2, write, 2)],
    )
    os.close(write)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
