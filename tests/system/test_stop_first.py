"""order = "stop-first": two versions never run at once, and requests wait in between."""

from __future__ import annotations

import itertools
import signal
from typing import Any

import pytest

from tests.waiting import eventually
from zdd.host.process import Process
from zdd.keeper import client

from .project import PLAIN, Call, Project, assert_nothing_lost, busy, configure, leftovers, service

ALONE = {"run": "python -S alone.py {fd}", "order": "stop-first", "health_path": "/"}
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nimport plain\n"  # in place of its import
MANY: dict[str, Any] = {"connections": 2000}  # whoever waits has a connection of its own


def release(project: Project, name: object, *others: str, boot: float = 0.5, **more: object) -> None:
    """Have this version of web configured; it ends at once where another one runs."""
    web = service("web", **ALONE | {"hold_max": "25s", **more}, env={"RELEASE": str(name), "BOOT": str(boot)})
    configure(project, web, *others)


def test_versions_never_overlap_and_requests_wait(project: Project) -> None:
    release(project, 1)
    project.zddeploy()
    with project.load(**MANY) as load:
        for number in range(2, 5):
            release(project, number)
            project.zddeploy()
        report = load.stop()

    assert_nothing_lost(report)
    assert report.reconnects == 0
    turns = [report.answered[str(number)] for number in range(1, 5)]
    assert all(before.last < after.first for before, after in itertools.pairwise(turns))
    eventually(lambda: list(project.instances()) == ["web-4"])


@pytest.mark.parametrize("bad", ["dies", "errs", "hangs"])
def test_a_bad_release_answers_nobody_and_the_old_one_is_started_again(project: Project, bad: str) -> None:
    release(project, 1)
    project.zddeploy()
    with project.load(**MANY) as load:
        release(project, bad, hold_max="25s" if bad == "dies" else "8s")
        failed = project.zddeploy(code=1)
        report = load.stop()

    assert_nothing_lost(report)
    assert set(report.answered) == {"1"}
    assert {"dies": "exit status 1", "errs": "answered 500", "hangs": "nothing accepts"}[bad] in failed.stderr
    assert "deploy 1 still serves" in failed.stderr
    waits = "going back: web-2 must end first (killed within 10 s), then web-1 starts again; requests wait meanwhile"
    assert waits in failed.stdout
    assert list(project.serving()) == ["web-1"]
    eventually(lambda: list(project.instances()) == ["web-1"])


def test_before_start_runs_while_nothing_does(project: Project) -> None:
    alone = 'python -S -c \'import fcntl; fcntl.flock(open("alone.lock", "a"), fcntl.LOCK_EX | fcntl.LOCK_NB)\''
    release(project, 1, before_start=alone)
    project.zddeploy()
    with project.load(**MANY) as load:
        release(project, 2, before_start=alone)
        project.zddeploy()
        release(project, 3, before_start="echo no column; exit 7")
        failed = project.zddeploy(code=1)
        report = load.stop()

    assert_nothing_lost(report)
    assert set(report.answered) == {"1", "2"}
    assert "web: before_start `echo no column; exit 7` ended with exit status 7" in failed.stderr
    assert "no column" in failed.stderr


def test_beside_others_all_go_forward_or_all_go_back(project: Project) -> None:
    api = service("api", **PLAIN, path="/api", keep_warm="0s")
    release(project, 1, api, jobs("sleep"))
    project.zddeploy()
    with project.load(**MANY) as load:
        release(project, 2, api, jobs("sleep"))
        project.zddeploy()
        release(project, 3, api, jobs("false"))
        failed = project.zddeploy(code=1)
        report = load.stop()

    assert_nothing_lost(report)
    assert "jobs: `flock -n jobs.lock false 600` ended with exit status 1" in failed.stderr
    assert [list(project.serving(name)) for name in ("web", "api", "jobs")] == [["web-2"], ["api-2"], ["jobs-2"]]


def jobs(program: str) -> str:
    """A worker that ends at once where another one runs."""
    run, enough = f"flock -n jobs.lock {program} 600", "30s" if program == "false" else "300ms"
    return service("jobs", run=run, socket="none", order="stop-first", min_uptime=enough)


@pytest.mark.parametrize("bad", [False, True], ids=["good", "bad"])
@pytest.mark.parametrize("moment", ["stopping", "starting"])
def test_without_its_zddeploy_the_new_version_serves_or_the_old_one_again(
    project: Project, moment: str, bad: bool
) -> None:
    name = "dies" if bad else "2"
    release(project, 1)
    project.zddeploy()
    with project.load(**MANY) as load:
        release(project, name, boot=1.5, before_start="sleep 1")
        command = project.beside()
        if moment == "stopping":
            eventually(lambda: not alive(project, "web-1"))
        else:
            eventually(lambda: alive(project, "web-2"))
        command.kill()
        command.wait()
        expected = "2" if moment == "starting" and not bad else "1"
        eventually(lambda: f"X-Release: {expected}" in project.get(), 60)
        project.zddeploy("recover")
        report = load.stop()

    assert_nothing_lost(report)
    assert set(report.answered) == {"1", expected}
    assert list(project.serving()) == ["web-2" if expected == "2" else "web-1"]
    eventually(lambda: len(project.instances()) == 1)


def test_an_interrupted_wait_for_the_old_version_has_it_serve_again(project: Project) -> None:
    release(project, 1, stop_signal="USR1", stop_timeout="3s")
    project.write("alone.py", "import signal; signal.signal(signal.SIGUSR1, signal.SIG_IGN)\n" + project_file(project))
    project.zddeploy()
    with project.load(**MANY) as load:
        configure_again = project_file(project)
        release(project, 2, stop_signal="USR1", stop_timeout="3s")
        project.write("alone.py", configure_again)
        command = project.beside()
        eventually(lambda: project.instances()["web-1"]["state"] == "stopping")
        command.send_signal(signal.SIGINT)
        assert command.wait(60) == 1
        report = load.stop()

    assert_nothing_lost(report)
    assert set(report.answered) == {"1"}
    assert list(project.serving()) == ["web-1"]


def project_file(project: Project) -> str:
    return (project.folder / "alone.py").read_text()


def test_the_keeper_of_the_new_version_killed_in_the_gap_brings_the_old_one_back(project: Project) -> None:
    release(project, 1)
    project.zddeploy()
    release(project, 2, boot=5.0)
    command = project.beside()
    eventually(lambda: alive(project, "web-2"))
    keeper = client.pids(f"{project.runtime}/control/web-2.pids").keeper
    assert keeper is not None
    keeper.signal(signal.SIGKILL)

    assert command.wait(60) == 1
    assert "X-Release: 1" in project.get()
    assert not [title for _, title in leftovers(project.folder) if "web-2" in title]


@pytest.mark.parametrize("state", ["draining", "stopping"])
def test_the_keeper_of_the_old_version_killed_as_it_stops_still_lets_no_two_run(project: Project, state: str) -> None:
    """Its app runs on without it, and is ended before the new version starts."""
    release(project, 1, stop_timeout="2s")
    if state == "stopping":
        project.replace("alone.py", "import plain\n", STUBBORN)
    project.zddeploy()
    calls = busy(project, "go") if state == "draining" else []
    release(project, 2)
    command = project.beside()
    eventually(lambda: project.instances()["web-1"]["state"] == state)
    keeper = client.pids(f"{project.runtime}/control/web-1.pids").keeper
    assert keeper is not None
    keeper.signal(signal.SIGKILL)
    project.write("go", "")

    assert command.wait(60) == 0, command.said()
    assert "another version runs" not in project.log("web-*.log")
    assert ["200" for _ in calls] == [call.answer().split()[1] for call in calls]
    assert "X-Release: 2" in project.get()
    assert not [title for _, title in leftovers(project.folder) if "web-1" in title]


@pytest.mark.parametrize("state", ["draining", "stopping"])
def test_the_keeper_of_the_old_version_and_zddeploy_killed_still_let_no_two_run(project: Project, state: str) -> None:
    """The old app runs on, and the new version's keeper ends it before it starts its own."""
    release(project, 1, stop_timeout="2s")
    if state == "stopping":
        project.replace("alone.py", "import plain\n", STUBBORN)
    project.zddeploy()
    calls = busy(project, "go") if state == "draining" else []
    keeper = client.pids(f"{project.runtime}/control/web-1.pids").keeper
    assert keeper is not None
    release(project, 2, stop_timeout="2s")
    command = project.beside()
    eventually(lambda: project.instances()["web-1"]["state"] == state)
    calls += [Call(project, "/") for _ in range(5)]
    keeper.signal(signal.SIGKILL)
    command.kill()
    project.write("go", "")

    assert "deploy 2 was interrupted; it is finished now" in project.zddeploy("recover").stdout

    assert ["200" for _ in calls] == [call.answer().split()[1] for call in calls]
    assert "another version runs" not in project.log("web-*.log")
    assert "X-Release: 2" in project.get()
    assert not [title for _, title in leftovers(project.folder) if "web-1" in title]


def alive(project: Project, instance: str) -> Process | None:
    return client.pids(f"{project.runtime}/control/{instance}.pids").app
