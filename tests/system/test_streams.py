"""Standard streams that are closed, full, gone or cannot encode a character: no command fails because of them."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import pytest

from tests.waiting import eventually
from zdd.instances.name import name_of

from .project import BIN, PLAIN, Project, configure, service

WEB = service("web", **PLAIN, health_path="/", keep_warm="0s")
LOST = {
    "no stdout": ">&-",
    "no stderr": "2>&-",
    "none at all": "<&- >&- 2>&-",
    "full stdout": ">/dev/full",
    "full stderr": "2>/dev/full",
    "all full": ">/dev/full 2>&1",
    "not for writing": "1</dev/null 2</dev/null",
    "closed pipes": "2>&1 | true",
}
PRINTING = ("status", "status --json", "check", "config", "completion bash", "--help")
ODD = "wäit 水"  # Latin-1 has the first word, ASCII neither


def shell(project: Project, command: str, streams: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run zddeploy by a shell that redirects its streams; the exit code is zddeploy's."""
    script = f"set -o pipefail; zddeploy {command} {streams}"
    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"} | environment
    return subprocess.run(["bash", "-c", script], cwd=project.folder, env=env, capture_output=True, check=False)


@pytest.mark.parametrize("streams", LOST.values(), ids=LOST)
def test_a_change_needs_no_stream(project: Project, streams: str) -> None:
    configure(project, WEB)

    codes = [
        shell(project, command, streams).returncode for command in ("deploy", "--json restart", "rollback 9", "down")
    ]

    assert codes == [0, 0, 2, 0]
    assert "serves deploy 1" in project.log("deploy-1.log")
    done = [json.loads(line)["outcome"] for line in project.zddeploy("history", "--json").stdout.splitlines()]
    assert done == ["done", "done"]
    assert not list(project.state.glob("logs/bug-*"))


@pytest.mark.parametrize("streams", [">&-", "<&- >&- 2>&-", "| true"])
def test_what_only_prints_ends_with_its_own_exit_code(project: Project, streams: str) -> None:
    configure(project, WEB)
    project.zddeploy()

    codes = {command: shell(project, command, streams).returncode for command in PRINTING}

    assert codes == dict.fromkeys(PRINTING, 0)


def test_output_that_a_full_disk_does_not_take_is_an_error(project: Project) -> None:
    configure(project, WEB)

    results = {command: shell(project, command, ">/dev/full") for command in PRINTING}

    assert {result.returncode for result in results.values()} == {1}
    for result in results.values():
        assert b"cannot write the output: No space left on device" in result.stderr


def test_an_error_that_nobody_can_be_told_keeps_its_exit_code(project: Project) -> None:
    configure(project, WEB)

    for streams in ("2>&-", "2>/dev/full", "2>&1 | true"):
        assert [shell(project, words, streams).returncode for words in ("restart", "bogus", "--bogus")] == [2, 2, 2]


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_what_a_terminal_cannot_encode_is_shown_as_an_escape(project: Project, encoding: str) -> None:
    configure(project, WEB, before_start=f"echo {ODD}")

    deployed = shell(project, "-v", PYTHONIOENCODING=encoding)
    config = shell(project, "config", PYTHONIOENCODING=encoding)

    assert (deployed.returncode, config.returncode) == (0, 0)
    assert f"echo {ODD}".encode(encoding, "backslashreplace") in deployed.stdout
    assert ODD in project.log("deploy-1.log")


def test_paths_are_utf_8_whatever_the_locale_is(project: Project) -> None:
    """As under a Latin-1 locale: Python would encode the names of files like the terminal."""
    configure(project, WEB.replace("keep_warm", f'cwd = "{ODD}"\nkeep_warm'), before_start=f"echo {ODD}")
    (project.folder / ODD).mkdir()
    for name in ("plain.py", "VERSION"):
        (project.folder / name).rename(project.folder / ODD / name)
    narrow = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    for command in ("check", "-v deploy", "status", "-v restart", "exec web -- pwd", "logs", "recover"):
        done = shell(project, command, **narrow)
        assert done.returncode == 0, done.stdout + done.stderr
        if command.startswith("-v"):
            assert ODD.encode("ascii", "backslashreplace") in done.stdout
    assert "X-Release: 1\r\n" in project.get()
    assert ODD in project.log("deploy-2.log")


def test_bytes_that_are_not_utf_8_are_refused_where_they_would_be_recorded(project: Project) -> None:
    configure(project, WEB)
    folder = os.fsencode(project.folder) + b"/caf\xe9"
    os.mkdir(folder)
    with open(folder + b"/deploy.toml", "w") as file:
        file.write((project.folder / "deploy.toml").read_text())

    for words in ("$'-c\\x63af\\xe9/deploy.toml'", "deploy $'\\xe9'"):
        refused = shell(project, words)
        assert refused.returncode == 2, refused.stderr
    for command in ("deploy", "status --json", "check"):
        refused = shell(project, f"{command} 2>&1; code=$?; cd $'caf\\xe9'; zddeploy {command}")
        assert refused.returncode == 2
        assert b"is not UTF-8" in refused.stdout + refused.stderr
    refused = shell(project, "deploy", PATH=f"{BIN}:{os.environ['PATH']}:/usr/sbin:/caf\udce9")
    assert refused.returncode == 2
    assert b"the variable PATH is not UTF-8" in refused.stderr
    assert shell(project, "deploy", LOGNAME="caf\udce9").returncode == 0
    assert "caf\\udce9" in project.zddeploy("history").stdout
    assert shell(project, "exec web -- printf $'\\xe9'").stdout == b"\xe9"


def test_a_terminal_that_hangs_up_does_not_stop_a_deploy(project: Project) -> None:
    """Its window is closed: SIGHUP comes, and whoever writes to it gets an error."""
    configure(project, WEB, before_start="touch begun; while test ! -e go; do sleep 0.02; done")
    ours, theirs = pty.openpty()
    command = ["setsid", "--ctty", str(BIN / "zddeploy")]
    deploy = subprocess.Popen(command, cwd=project.folder, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    eventually((project.folder / "begun").exists)

    os.close(ours)
    project.write("go", "")

    assert deploy.wait(60) == 0
    assert "serves deploy 1" in project.log("deploy-1.log")


def test_a_pipe_that_another_program_made_non_blocking_loses_nothing(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    lines = [f"line {number} {'x' * 100}" for number in range(5000)]
    project.write(f"S/logs/{name_of('web', 1)}.log", "\n".join([*lines, ""]))
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    logs = subprocess.Popen([BIN / "zddeploy", "logs", "--since", "1h"], cwd=project.folder, stdout=writer)
    os.close(writer)

    with open(reader, encoding="utf-8") as pipe:
        shown = [line.partition(" | ")[2].rstrip("\n") for line in pipe]

    assert logs.wait(60) == 0
    assert shown == lines


def test_what_follows_ends_when_nobody_reads_it_any_more(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()

    assert shell(project, "status --watch", "| head -n 1").returncode == 0
    log = project.state / "logs/web-1.log"
    with subprocess.Popen(
        ["bash", "-c", "set -o pipefail; zddeploy logs -f | true"],
        cwd=project.folder,
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"},
    ) as following:

        def ended() -> bool:
            with log.open("a") as file:
                file.write("one more line\n")
            return following.poll() is not None

        eventually(ended)
        assert following.returncode == 0
