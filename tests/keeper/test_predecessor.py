"""What is left of the version before a stop-first one, when that cannot serve again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd import kills
from zdd.host import files
from zdd.host.process import Process
from zdd.keeper.predecessor import Predecessor
from zdd.keeper.record import Record

from .conftest import NewStage
from .fakes import Terminal

SLEEPS = ["sleep", "600"]
STUBBORN = ["sh", "-c", "trap '' TERM; echo; sleep 600 & wait; wait"]

Run = Callable[..., Process]


@pytest.fixture
def run() -> Iterator[Run]:
    """Starts programs that stand for a keeper or an app; returns once those that say something have done so."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*argv: str) -> Process:
        started.append(subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True))
        if argv != tuple(SLEEPS):
            assert started[-1].stdout is not None
            started[-1].stdout.readline()
        found = Process.find(started[-1].pid)
        assert found is not None
        return found

    yield start
    for each in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(each.pid, signal.SIGKILL)
        each.communicate()


@pytest.fixture
def record(stage: NewStage) -> Record:
    """The record of the instance before: it drains for 30 s and stops within 10."""
    found = stage(kills="").record
    found.kills = f"{found.folder}/kills"
    found.write()
    return found


def predecessor(record: Record, keeper: Process | None, app: Process | None, answers: bool = False) -> Predecessor:
    pids = {"keeper": keeper and [keeper.pid, keeper.start_time], "app": app and [app.pid, app.start_time]}
    files.write(record.pids, json.dumps(pids))
    return Predecessor(record.control, record, answers, now=0.0)


def test_one_of_which_nothing_runs_has_ended(record: Record) -> None:
    assert predecessor(record, None, None).end(0.0)
    assert Predecessor(f"{record.folder}/no-such.sock", record, False, 0.0).end(0.0)


def test_an_app_without_a_keeper_is_told_to_stop(record: Record, run: Run) -> None:
    app = run(*SLEEPS)
    left = predecessor(record, None, app)

    assert not left.end(0.0)

    assert app.wait(30)
    assert left.end(0.1)
    assert kills.of(record.kills, record.instance, 0.0) is None


def test_one_that_does_not_stop_is_killed_with_all_its_processes_after_its_time(record: Record, run: Run) -> None:
    app = run(*STUBBORN)
    left = predecessor(record, None, app)
    assert not left.end(0.0)
    assert not left.end(9.9)
    assert app.alive()

    assert not left.end(10.0)

    eventually(lambda: left.end(10.1), what="the end of all its processes")
    kill = kills.of(record.kills, record.instance, 0.0)
    assert kill is not None
    assert kill.after == 10.0


def test_a_keeper_that_hangs_is_killed_before_it_starts_its_app_again(record: Record, run: Run) -> None:
    keeper = run(*SLEEPS)
    keeper.signal(signal.SIGSTOP)
    left = predecessor(record, keeper, None)

    assert not left.end(0.0)

    assert keeper.wait(30)
    assert left.end(0.1)


def test_a_keeper_that_answers_ends_its_app_itself(record: Record, run: Run) -> None:
    keeper, app = run(*SLEEPS), run(*SLEEPS)
    left = predecessor(record, keeper, app, answers=True)

    assert not left.end(0.0)
    assert not left.end(39.9)
    assert keeper.alive()
    assert app.alive()
    assert not left.end(40.0), "it had the time to drain and to stop"

    assert keeper.wait(30)
    assert not left.end(40.1)
    assert app.wait(30)
    assert left.end(40.2)


def test_a_command_that_starts_the_new_version_has_waited_itself(record: Record, run: Run, tmp_path: Path) -> None:
    predecessor(record, None, run(*STUBBORN))
    before = {"control": record.control, "socket": record.socket}
    new = Terminal(str(tmp_path / "new"), held=True, predecessors=[before])
    files.write(f"{new.record.current}/manifest.json", json.dumps({"instances": {new.record.instance: {}}}))
    new.keeper.deserted()
    new.push(5)
    assert (new.keeper.life.state, new.app.starts) == ("held", 0)

    assert new.keeper.start()

    new.push(10)
    assert (new.keeper.life.state, new.app.starts) == ("starting", 1)
