"""logs: what all instances print, merged, across deploys; and no file grows for ever."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from tests.waiting import eventually

from .project import BIN, PLAIN, Project, configure, service

TALKS = """
import os, plain, sys, threading, time

def talk():
    while True:
        time.sleep(0.01)
        if os.path.exists("say"):
            text = open("say").read()
            print(text % {"name": os.environ["ZDD_INSTANCE"]}, flush=True)
            os.rename("say", f"said")

def flood():
    number = 0
    while True:
        print(number, "x" * 100, flush=True)
        number += 1
        time.sleep(0.0002)

threading.Thread(target=flood if os.path.exists("flood") else talk, daemon=True).start()
plain.main(sys.argv[1])
"""
OPENS = """
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'

writeFileSync('/dev/stdout', 'opened\\n', { flag: process.argv[2] })
createServer((_, response) => response.end('hello')).listen(3000)
"""
WEB = service("web", run="python -S talks.py {fd}", health_path="/")

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run an app as another user")


@pytest.fixture
def talking(project: Project) -> Project:
    """A project whose app prints what is in the file `say`."""
    configure(project, WEB)
    project.write("talks.py", TALKS)
    project.zddeploy()
    return project


def say(project: Project, text: str) -> None:
    project.write("saying", text)
    os.rename(project.folder / "saying", project.folder / "say")
    eventually(lambda: not (project.folder / "say").exists())
    (project.folder / "said").unlink(missing_ok=True)


@contextmanager
def following(project: Project, *args: str) -> Iterator[IO[str]]:
    with subprocess.Popen(
        [BIN / "zddeploy", "logs", "-f", *args],
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            process.terminate()


def shown(project: Project, *args: str) -> list[tuple[str, str]]:
    """Which instance said what."""
    lines = project.zddeploy("logs", *args).stdout.splitlines()
    return [(name.strip(), text) for name, _, text in (line.partition(" | ") for line in lines)]


def test_the_newest_instances_are_shown_each_line_with_its_instance(talking: Project) -> None:
    say(talking, "hello of %(name)s")
    assert ("web-1", "hello of web-1") in shown(talking)
    talking.zddeploy()
    talking.zddeploy("restart")
    say(talking, "hello of %(name)s")

    assert {name for name, _ in shown(talking)} <= {"web-3"}
    assert ("web-1", "hello of web-1") in shown(talking, "--instance", "web-1")
    assert shown(talking, "-n", "0") == []


def test_beside_what_serves_is_shown_what_did_not_make_it(talking: Project) -> None:
    say(talking, "hello of %(name)s")
    talking.replace("talks.py", "plain.main(", "raise SystemExit('broken')\nplain.main(")
    talking.zddeploy(code=1)

    found = talking.zddeploy("logs")
    assert found.stderr == "web-1: serving; web-2: ended\n"
    assert {("web-1", "hello of web-1"), ("web-2", "broken")} <= set(shown(talking))


def test_json_is_one_object_a_line(talking: Project) -> None:
    say(talking, "2026-11-23T15:33:14Z hello")

    found = [json.loads(line) for line in talking.zddeploy("logs", "--json").stdout.splitlines()]

    assert {"time": 1795447994.0, "instance": "web-1", "text": "2026-11-23T15:33:14Z hello"} in found


def test_since_merges_the_instances_of_all_deploys_by_the_times_of_their_lines(project: Project) -> None:
    configure(project, service("web", **PLAIN), service("api", **PLAIN, path="/api"))
    project.zddeploy()
    logs = project.state / "logs"
    (logs / "web-1.log.1").write_text("2026-01-01 10:00:00Z one\n")
    (logs / "web-1.log").write_text("  more of one\n2026-01-01 10:00:03Z four\n")
    (logs / "web-2.log").write_text("2026-01-01 10:00:02Z three\n2026-01-01 10:00:09Z six\n")
    (logs / "api-1.log").write_text("2026-01-01 10:00:01Z two\n2026-01-01 10:00:04Z five\n")

    texts = [text.split("Z ")[-1].strip() for _, text in shown(project, "--since", "2026-01-01 10:00:00+00:00")]
    assert texts == ["one", "more of one", "two", "three", "four", "five", "six"]
    later = shown(project, "web", "--since", "2026-01-01T10:00:03+00:00")
    assert [name for name, _ in later] == ["web-1", "web-2"]
    assert shown(project, "--since", "1h", "--instance", "api-1") == []


def test_lines_without_any_time_count_as_printed_at_the_last_change(talking: Project) -> None:
    say(talking, "hello of %(name)s")

    assert ("web-1", "hello of web-1") in shown(talking, "--since", "1h")
    old = time.time() - 7200
    os.utime(talking.state / "logs/web-1.log", (old, old))
    assert shown(talking, "--since", "1h") == []


def test_following_goes_on_across_deploys(talking: Project) -> None:
    say(talking, "before")
    with following(talking, "web", "-n", "1") as output:
        assert "before" in output.readline()
        say(talking, "first of %(name)s")
        assert output.readline().endswith("first of web-1\n")
        talking.zddeploy("--detach")
        eventually(lambda: "web-2" in talking.serving())
        talking.write("says", "")
        said_by_all = set()
        while "second of web-2" not in said_by_all:
            say(talking, "second of %(name)s")
            said_by_all.add(output.readline().partition(" | ")[2].strip())


def test_what_is_no_service_time_or_instance_is_refused(talking: Project) -> None:
    assert "has no service 'nosuch'" in talking.zddeploy("logs", "nosuch", code=2).stderr
    assert "neither a duration such as 10m" in talking.zddeploy("logs", "--since", "soon", code=2).stderr
    assert "web-9 has no log" in talking.zddeploy("logs", "--instance", "web-9", code=2).stderr


def test_before_the_first_deploy_there_are_none(project: Project) -> None:
    configure(project, WEB)

    assert project.zddeploy("logs").stdout == ""


def test_a_log_that_grows_is_rotated_while_its_app_writes_and_following_misses_nothing(project: Project) -> None:
    configure(project, WEB, log_max="2M")
    project.write("talks.py", TALKS)
    project.write("flood", "")
    project.zddeploy()
    log, older = project.state / "logs/web-1.log", project.state / "logs/web-1.log.1"
    numbers: list[int] = []

    with following(project, "-n", "0") as output:
        rotated, deadline = 0.0, time.time() + 120
        while not rotated or time.time() < rotated + 1:
            assert time.time() < deadline, "not rotated within two minutes"
            line = re.search(r"\| ([0-9]+) x+$", output.readline())
            if line:
                numbers.append(int(line[1]))
            rotated = rotated or (time.time() if older.exists() else 0.0)

    assert older.stat().st_size > 2_000_000
    eventually(lambda: log.stat().st_size < older.stat().st_size)
    assert project.serving().keys() == {"web-1"}
    missing = (numbers[-1] - numbers[0] + 1) - len(numbers)
    assert numbers == sorted(set(numbers))
    assert missing < len(numbers) / 2  # those of the instant in which the file is emptied: as a rule a handful


def test_old_logs_go_and_numbers_are_not_used_again(project: Project) -> None:
    configure(project, service("web", **PLAIN, keep_warm="0s"), log_max="1K")
    project.zddeploy()
    logs = project.state / "logs"
    for number in range(100, 150):
        (logs / f"web-{number}.log").write_text("x")
        (logs / f"web-{number}.log.1").write_text("x")
        (logs / f"gone-{number}.log").write_text("x")
    for number in range(1000, 1300):
        (logs / f"deploy-{number}.log").write_text("x")
    (logs / "nginx.log").write_text("x" * 2000)

    project.zddeploy()

    left = sorted(path.name for path in logs.glob("web-*.log"))
    assert len(left) == 21  # the newest twenty, and one that still ran
    assert {"web-1.log", "web-150.log", "web-149.log"} < set(left)
    assert not (logs / "web-100.log.1").exists()
    assert len(list(logs.glob("gone-*.log"))) == 20
    assert len(list(logs.glob("deploy-*.log"))) == 200
    assert (logs / "nginx.log").stat().st_size < 1000
    assert (logs / "nginx.log.1").stat().st_size == 2000
    assert project.zddeploy("restart").stdout.splitlines()[0] == "restart 1301 of shop"
    assert "web-151" in project.serving()


@pytest.mark.parametrize("mode", ["a", "w"])
@pytest.mark.parametrize("user", [None, pytest.param("nobody", marks=needs_root)])
def test_an_app_that_opens_its_log_again_writes_to_it_and_what_was_in_it_stays(
    project: Project, user: str | None, mode: str
) -> None:
    keys = {"user": user} if user else {}
    configure(project, service("web", run=f"node opens.mjs {mode}", health_path="/", **keys))
    project.write("opens.mjs", OPENS)
    project.zddeploy()

    os.kill(project.instances()["web-1"]["pid"], signal.SIGKILL)

    def shown() -> str:
        return project.zddeploy("logs", "-n", "100").stdout

    eventually(lambda: shown().count("opened\n") == 2)
    assert "the app ended: signal SIGKILL" in shown()
    assert ("the app has emptied this log" in shown()) == (mode == "w")


def test_what_visitors_make_nginx_log_does_not_grow_between_deploys(project: Project) -> None:
    """Anybody can have a line of it for each request: here by sending more than client_max_body_size."""
    configure(project, service("web", **PLAIN), nginx='client_max_body_size = "1K"\n', log_max="64K")
    project.zddeploy()
    log, older = project.state / "logs/nginx.log", project.state / "logs/nginx.log.1"

    def post(path: str) -> None:
        with socket.create_connection(("127.0.0.1", project.port), 60) as visitor:
            visitor.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n".encode())
            assert b" 413 " in visitor.recv(65536)

    for _ in range(500):
        post("/echo")

    eventually(lambda: older.exists() and log.stat().st_size < 64 << 10)
    assert "client intended to send too large body" in older.read_text()
    assert older.stat().st_size <= 128 << 10
    post("/last")
    eventually(lambda: "POST /last" in log.read_text() + older.read_text(), what="nginx goes on in the same file")
