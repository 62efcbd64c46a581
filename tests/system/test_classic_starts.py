"""Starts that work, each in its own way, and starts that die: then all is as it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.machine import patiently
from zdd.host import process

from .classic import ClassicProject, light_load, web


@pytest.fixture(scope="module")
def serving() -> Iterator[ClassicProject]:
    """One version that must go on serving through every failure of this module."""
    made = ClassicProject()
    made.zddeploy()
    yield made
    made.end()


@pytest.mark.parametrize(
    ("start", "keys", "cause", "output"),
    [
        ("sh -c 'echo no module shop; exit 3'", {}, "ended with exit status 3 before it was ready", "no module shop"),
        ("sh -c 'echo done; exit 0'", {}, "ended and left no process running", "done"),
        ("sh -c 'echo dying; kill -9 $$'", {}, "ended with SIGKILL before it was ready", "dying"),
        ("no-such-server --now", {}, "cannot run 'no-such-server': No such file or directory", ""),
        ("sh -c '(sleep 0.3; echo lost) & exit 0'", {}, "ended and left no process running", "lost"),
        ("sh -c 'sh -c \"echo \\$\\$ > web.pid\"; echo mute; sleep 600'", {"start_timeout": "1"},
         "not ready after {seconds:g} s: {folder}/web.pid names process", "mute"),
        ("sh -c 'echo $$ > web.pid; echo shy; sleep 600'", {"start_timeout": "1"},
         "not ready after {seconds:g} s: no port number in {folder}/", "shy"),
        ("sh -c 'echo 1 > $$.port; echo $$ > web.pid; echo deaf; sleep 600'", {"start_timeout": "1"},
         "not ready after {seconds:g} s: nobody answers on 127.0.0.1:1, the port in {folder}/", "deaf"),
        ("sh -c 'echo slow; sleep 600'", {"start_timeout": "1"},
         "not ready after {seconds:g} s: no process number in {folder}/web.pid", "slow"),
        ("sh -c 'trap \"\" TERM; echo stubborn; while :; do sleep 0.1; done'",
         {"start_timeout": "1", "stop_timeout": "0.5"}, "not ready after {seconds:g} s", "stubborn"),
    ],
    ids=["non-zero", "leaves nothing", "signal", "not found", "daemon dies", "dead pid", "no port", "deaf", "slow",
         "ignores TERM"],
)  # fmt: skip
def test_a_start_that_dies_is_undone_and_told_of_while_the_old_version_serves(
    serving: ClassicProject, start: str, keys: dict[str, str], cause: str, output: str
) -> None:
    before = serving.traces()

    def attempt(seconds: float) -> None:
        timeout = {"start_timeout": f"{seconds:g}"} if "start_timeout" in keys else {}
        serving.configure(web={"start": start, **keys, **timeout})
        with light_load(serving):
            result = serving.zddeploy(code=1)

        assert cause.format(folder=serving.folder, seconds=seconds) in result.stderr
        assert output in result.stderr
        assert "deploy 1 still serves" in result.stderr

    patiently(attempt, 1, 15)
    assert serving.traces() == before


@pytest.mark.parametrize(
    ("answer", "keys", "wanted"),
    [("500", {}, "200-299"), ("404", {}, "200-299"), ("200", {"health_status": "201"}, "201")],
)
def test_an_unhealthy_answer_is_refused(
    serving: ClassicProject, answer: str, keys: dict[str, str], wanted: str
) -> None:
    before = serving.traces()
    serving.write("health", answer)

    def attempt(seconds: float) -> None:
        serving.configure(web={"health_path": "/health", "start_timeout": f"{seconds:g}", **keys})
        result = serving.zddeploy(code=1)
        words = f"not healthy after {seconds:g} s: GET /health was answered {answer}, wanted {wanted}: web 1"
        assert words in result.stderr

    patiently(attempt, 1, 15)
    assert serving.traces() == before


def test_a_start_that_died_is_told_of_long_before_its_timeout(serving: ClassicProject) -> None:
    serving.configure(web={"start": "sh -c 'exit 1'"})

    step = next(event for event in serving.events(code=1) if (event["event"], event.get("step")) == ("step", "probe"))

    assert not step["ok"]
    assert step["seconds"] < 30  # as a rule less than 1; start_timeout is 60


def test_a_start_that_stays_in_the_foreground_and_one_that_forks_away_both_work(classic: ClassicProject) -> None:
    classic.zddeploy()
    classic.release("2")
    classic.configure(web={"start": web("web", "-D"), "health_path": "/health"})
    classic.write("health", "200")

    classic.zddeploy()

    assert "web 2" in classic.get()
    assert process.parents()[classic.pid()] != classic.pid()
    assert list(classic.states().values())[-1] == "serving"


def test_a_daemon_that_forgets_its_environment_is_known_by_its_pid_file(classic: ClassicProject) -> None:
    daemon = f"echo $$ > web.pid; sleep 1; exec {web('web')}"
    classic.write("daemon.sh", daemon)
    classic.configure(web={"start": "env -i PATH=/usr/bin:/bin sh -c 'setsid sh daemon.sh & sleep 0.1'"})

    classic.zddeploy()

    assert "web 1" in classic.get()


def test_the_first_deploy_of_all_that_fails_leaves_nothing(classic: ClassicProject) -> None:
    classic.configure(web={"start": "sh -c 'exit 1'"})

    result = classic.zddeploy(code=1)

    assert "nothing was served before, and nothing is now" in result.stderr
    assert classic.traces() == ({}, set())
    assert classic.status()["state"] == "nothing"
