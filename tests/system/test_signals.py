"""Signals to zddeploy itself: before the commit a deploy is undone, after it the deploy is done, whatever comes."""

from __future__ import annotations

import json
import signal

import pytest

from tests.waiting import eventually
from zdd.host import lock

from .project import PLAIN, Beside, Project, busy, configure, service, version

WEB = service("web", **PLAIN, health_path="/", keep_warm="0s")
ALL = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
ENDING = [signal.SIGINT, signal.SIGTERM]
HELD = "touch begun; while test ! -e go; do sleep 0.02; done"


def last_event(zddeploy: Beside) -> dict[str, object]:
    found: dict[str, object] = json.loads(zddeploy.said().splitlines()[-1])
    return found


@pytest.mark.parametrize("number", ALL)
def test_while_the_old_version_drains_the_deploy_is_done(project: Project, number: signal.Signals) -> None:
    configure(project, WEB)
    project.zddeploy()
    version(project, 2)
    (slow,) = busy(project, "until")
    deploy = project.beside("--json")
    eventually(lambda: '"text":"draining, 1 connection"' in deploy.said())

    deploy.send_signal(number)

    assert deploy.wait(60) == 0
    assert f"{number.name}: deploy 2 is done; the old version (web-1) drains by itself" in deploy.said()
    result = last_event(deploy)
    assert (result["event"], result["outcome"], result["deploy"], result["exit"]) == ("result", "done", 2, 0)
    assert result["drained"] is None
    project.write("until", "")
    assert "HTTP/1.1 200 OK" in slow.answer()
    eventually(lambda: list(project.instances()) == ["web-2"])


@pytest.mark.parametrize("number", ALL)
def test_while_after_deploy_runs_the_deploy_is_done(project: Project, number: signal.Signals) -> None:
    configure(project, WEB, after_deploy=HELD)
    deploy = project.beside("--json")
    eventually((project.folder / "begun").exists)

    deploy.send_signal(number)
    project.write("go", "")

    assert deploy.wait(60) == 0
    assert (last_event(deploy)["outcome"], last_event(deploy)["exit"]) == ("done", 0)
    assert "after_deploy" not in "".join(line for line in deploy.said().splitlines() if '"notice"' in line)
    assert project.events("history")[0]["outcome"] == "done"


@pytest.mark.parametrize("number", ENDING)
def test_while_it_waits_for_the_lock_nothing_is_changed(project: Project, number: signal.Signals) -> None:
    configure(project, WEB, before_start=HELD)
    first = project.beside()
    eventually((project.folder / "begun").exists)
    waiting = [project.beside(command, "--json", "--lock-timeout", "60s") for command in ("deploy", "down")]
    eventually(lambda: all(catches(child, number) for child in waiting))

    for child in waiting:
        child.send_signal(number)

    assert [child.wait(60) for child in waiting] == [130, 130]
    for child in waiting:
        assert f"zddeploy: interrupted by {number.name}\n  nothing was changed" in child.said()
        (result,) = (json.loads(line) for line in child.said().splitlines() if '"result"' in line)
        assert (result["outcome"], result["exit"]) == ("failed", 130)
    project.write("go", "")
    assert first.wait(60) == 0
    assert [entry["deploy"] for entry in project.events("history")] == [1]


def test_a_hang_up_while_it_waits_for_the_lock_does_not_end_it(project: Project) -> None:
    configure(project, WEB, before_start=HELD)
    first = project.beside()
    eventually((project.folder / "begun").exists)
    waiting = project.beside("--lock-timeout", "60s")
    eventually(lambda: catches(waiting, signal.SIGHUP))

    waiting.send_signal(signal.SIGHUP)
    project.write("go", "")

    assert (first.wait(60), waiting.wait(60)) == (0, 0)
    assert project.status()["deploy"] == 2


def test_a_command_that_is_done_says_so_even_if_a_signal_came(project: Project) -> None:
    """The app takes its time to stop, so the signal comes in the middle of `down`."""
    stop = "trap 'touch begun; while test ! -e go; do sleep 0.02; done; exit' TERM; python -S plain.py $0 & wait"
    configure(project, service("web", run=f'sh -c "{stop}" {{fd}}', health_path="/", stop_timeout="60s"))
    project.zddeploy()
    down = project.beside("down")
    eventually((project.folder / "begun").exists)

    for number in ALL:
        down.send_signal(number)
    project.write("go", "")

    assert down.wait(60) == 0
    assert "shop is down" in down.said()
    assert not lock.is_held(f"{project.runtime}/lock")


def catches(child: Beside, number: int) -> bool:
    """Whether the process has a handler of its own for this signal (proc_pid_status(5), SigCgt); Python's is SIGINT."""
    with open(f"/proc/{child.pid}/status", encoding="ascii") as status:
        caught = next(int(line.split()[1], 16) for line in status if line.startswith("SigCgt:"))
    return bool(caught & (1 << (signal.SIGTERM - 1))) and bool(caught & (1 << (number - 1)))
