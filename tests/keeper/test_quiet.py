"""A keeper with nothing to do: it wakes seldom, and learns of a change at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.machine import patiently
from tests.waiting import eventually
from zdd.host import files
from zdd.keeper import log as logs
from zdd.keeper.log import Log
from zdd.keeper.loop import Deadlines

from .conftest import New
from .instance import Instance

SETTLED, WATCHED = 8.0, 15.0  # seconds until the pauses have grown, and in which wakes are counted


def wakes(web: Instance) -> int:
    """How often the keeper has slept and was woken."""
    text = files.read(f"/proc/{web.keeper().pid}/status") or ""
    return int(text.split("\nvoluntary_ctxt_switches:")[1].split()[0])


@pytest.mark.parametrize("kind", ["fd", "unix", "tcp", "none"])
def test_it_wakes_every_few_seconds_only(new: New, kind: str) -> None:
    web = new(socket=kind)
    if kind == "none":
        web.record["argv"] = ["sh", "-c", "echo up; exec sleep 600"]
    web.start()
    time.sleep(SETTLED)

    before = wakes(web)
    time.sleep(WATCHED)

    assert wakes(web) - before <= WATCHED / 2, "with looks of their own there were 18 to 46"


@pytest.mark.parametrize("name", ["keep", "socket"])
def test_a_name_that_is_gone_is_there_again_long_before_the_next_look(new: New, name: str) -> None:
    web = new().start()
    time.sleep(1.5)  # a change is looked for at most once a second

    def attempt(seconds: float) -> None:
        begun = time.monotonic()
        os.unlink(f"{web.folder}/{name}")
        eventually(lambda: os.path.exists(f"{web.folder}/{name}"))
        assert time.monotonic() - begun < seconds, "the next look would have been 4 s later"

    patiently(attempt, 3.9, 3.9, 3.9)  # a machine that stands still does so once


def test_an_app_that_changes_its_folder_all_the_time_wakes_it_once_a_second(new: New) -> None:
    web = new().start()
    time.sleep(2)
    before, begun = wakes(web), time.monotonic()

    while time.monotonic() < begun + 4:
        Path(f"{web.app_folder}/heartbeat").write_text("x")
        time.sleep(0.005)

    assert wakes(web) - before < 40, "some 800 files were written"


def test_calls_that_nobody_waits_for_are_made_together() -> None:
    now, made = [0.0], list[str]()
    deadlines = Deadlines(lambda: now[0])
    deadlines.about(4.0, lambda: made.append("names"))
    deadlines.about(5.0, lambda: made.append("log"))

    assert deadlines.next() == 6.0
    now[0] = 3.9
    deadlines.run()
    assert made == []
    now[0] = 5.0  # awake for something else
    deadlines.run()

    assert made == ["names", "log"]
    assert deadlines.next() is None


def test_a_quiet_log_is_looked_at_less_and_less_and_one_that_grows_each_second(tmp_path: Path) -> None:
    log = Log(f"{tmp_path}/web-1.log", 1000, None)
    pauses = []
    for _ in range(4):
        log.tend()
        pauses.append(log.pause)
    os.write(log.fd, b"x")
    log.tend()
    after = log.pause
    os.write(log.fd, b"x" * 100)
    log.tend()

    assert pauses == [2.0, 4.0, 4.0, 4.0]
    assert after == 1.0
    assert log.pause == 0.1, "a tenth of log_max in a second is a flood"
    log.tend()
    assert log.pause == 2.0


def test_a_quiet_log_on_a_disk_that_is_nearly_full_is_looked_at_each_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(f"{tmp_path}/web-1.log", 1000, None)
    monkeypatch.setattr(logs, "_FASTEST", 1e18)

    for _ in range(3):
        log.tend()

    assert log.pause == 1.0
