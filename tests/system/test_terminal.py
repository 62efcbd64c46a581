"""What a person sees: a living line on a terminal, plain lines elsewhere; and no deploy needs anybody to look."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.waiting import eventually

from .project import BIN, PLAIN, Project, busy, configure, service, version

WEB = service("web", **PLAIN, health_path="/", keep_warm="0s")
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Terminal:
    """A zddeploy at a terminal; `text` is all that it has shown."""

    def __init__(self, project: Project, *args: str, **environment: str) -> None:
        self.fd, theirs = pty.openpty()
        env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin", "TERM": "xterm", "COLUMNS": "80"}
        env.pop("NO_COLOR", None)
        self.process = subprocess.Popen(
            [BIN / "zddeploy", *args],
            cwd=project.folder,
            env=env | environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self.text = ""

    def read(self) -> bool:
        """Read what has come; False when nothing will any more."""
        if select.select([self.fd], [], [], 0.05)[0]:
            try:
                self.text += os.read(self.fd, 65536).decode()
            except OSError:  # nobody has the other end
                return False
        return True

    def wait(self) -> int:
        """Read to the end; the exit code."""
        deadline = time.monotonic() + 60
        while self.read():
            assert time.monotonic() < deadline, self.text
        return self.process.wait(60)

    def await_text(self, pattern: str) -> None:
        def found() -> object:
            self.read()
            return re.search(pattern, self.text)

        eventually(found)

    @property
    def left(self) -> list[str]:
        """The lines that stay, as the terminal shows them in the end."""
        text = re.sub(r"[^\n]*\r\x1b\[K", "", self.text.replace("\r\n", "\n"))
        return [ESCAPES.sub("", line) for line in text.splitlines()]


@contextmanager
def terminal(project: Project, *args: str, **environment: str) -> Iterator[Terminal]:
    shown = Terminal(project, *args, **environment)
    yield shown
    shown.process.kill()
    shown.process.wait()
    os.close(shown.fd)


def test_a_living_line_tells_what_is_being_done_and_for_how_long(project: Project) -> None:
    configure(project, WEB, before_start="sh hold")
    project.write("hold", "while test ! -e go; do sleep 0.02; done")

    with terminal(project) as shown:
        shown.await_text(r"\d\.\d s  before_start `sh hold`\x1b\[0m\r\x1b\[K")
        project.write("go", "")
        assert shown.wait() == 0

    assert "`sh hold`" not in "\n".join(shown.left)
    assert [line for line in shown.left if line.startswith("  before_start ")]
    assert re.fullmatch(r"done in .* s: shop serves deploy 1", shown.left[-1])
    assert "\x1b[32mdone in " in shown.text


def test_how_an_old_version_drains_is_told_in_the_living_line(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    version(project, 2)
    (slow,) = busy(project, "until")

    with terminal(project) as shown:
        shown.await_text(r"\d\.\d s  web-1 draining, 1 connection")
        project.write("until", "")
        assert shown.wait() == 0

    assert "HTTP/1.1 200 OK" in slow.answer()
    assert [line for line in shown.left if "draining" in line] == []
    assert [line for line in shown.left if re.match(r"  web-1 +drained in ", line)]


def test_a_failure_ends_with_what_serves_now(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()
    project.replace("deploy.toml", PLAIN["run"], "sh -c 'while test ! -e go; do sleep 0.02; done; exit 3'")

    with terminal(project) as shown:
        shown.await_text(r"\d\.\d s  wait until healthy: web-2")
        project.write("go", "")
        assert shown.wait() == 1

    assert [line for line in shown.left[-3:] if line.startswith("deploy 1 still serves")]
    assert max(map(len, shown.left)) <= 80


def test_no_color_means_none_anywhere(project: Project) -> None:
    configure(project, service("web", run="sh -c 'exit 3'"))

    with terminal(project, NO_COLOR="1") as shown:
        assert shown.wait() == 1
    with terminal(project, "config", NO_COLOR="1") as config:
        config.wait()
    with terminal(project, "config") as coloured:
        coloured.wait()

    assert "\x1b[3" not in shown.text + config.text
    assert "\x1b[9" not in shown.text + config.text
    assert "\x1b[90m# " in coloured.text


def test_elsewhere_lines_are_plain_and_complete(project: Project) -> None:
    configure(project, WEB, before_start="sleep 0.3")
    project.zddeploy()
    version(project, 2)

    shown = project.zddeploy().stdout

    assert "\x1b" not in shown
    assert "\r" not in shown
    told = [line.split()[0] for line in shown.splitlines() if line.startswith("  ")]
    assert told[:5] == ["before_start", "web-2", "nginx", "switched", "web-1"]
    assert "s: shop serves deploy 2" in shown


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_deploy_goes_on_when_nobody_reads_its_output_any_more(project: Project, as_json: tuple[str, ...]) -> None:
    configure(project, WEB, before_start="sleep 0.5")
    reader, writer = os.pipe()
    deploy = subprocess.Popen([BIN / "zddeploy", *as_json], cwd=project.folder, stdout=writer, stderr=writer)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)

    assert deploy.wait(60) == 0
    assert "web 1" in project.get()
    (entry,) = project.zddeploy("history", "--json").stdout.splitlines()
    assert json.loads(entry)["outcome"] == "done"
    assert "serves deploy 1" in project.log("deploy-1.log")


def test_the_status_is_watched_live(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()

    with terminal(project, "status", "--watch") as shown:
        shown.await_text(r"web-1 +serving +up \d+ s +0% cpu  0 connections +\d+ MB")
        version(project, 2)
        project.zddeploy("--detach")
        shown.await_text(r"deploy 2, serving[^!]*web-2 +serving")
        shown.process.send_signal(2)
        assert shown.wait() == 0


def test_watched_by_a_program_the_status_is_one_object_a_line(project: Project) -> None:
    configure(project, WEB)
    project.zddeploy()

    with subprocess.Popen(
        [BIN / "zddeploy", "status", "--watch", "--json"], cwd=project.folder, stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        found = [json.loads(watching.stdout.readline()) for _ in range(2)]
        watching.terminate()

    instance = found[1]["services"][0]["instances"][0]
    assert instance["cpu_seconds"] >= found[0]["services"][0]["instances"][0]["cpu_seconds"] > 0
