"""The whole demo, run as a user runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from zdd.demo import project, story
from zdd.errors import ZddError
from zdd.terminal import Terminal

from ..system.project import leftovers

DEMO = [sys.executable, "-m", "zdd", "demo"]
FOLDER = re.compile(r"/tmp/zdd-demo-\w+")


class Played(NamedTuple):
    code: int
    figures: dict[str, float]
    told: str


@pytest.fixture(scope="module")
def played() -> Played:
    result = subprocess.run([*DEMO, "--json"], capture_output=True, text=True, timeout=600, check=False)
    print(result.stderr)
    lines = result.stdout.splitlines()
    assert len(lines) == 1, result.stderr
    return Played(result.returncode, json.loads(lines[0]), result.stderr)


def test_it_loses_no_request_and_closes_no_connection(played: Played) -> None:
    assert played.figures["failed"] == 0
    assert played.figures["reconnects"] == 0
    assert played.figures["requests"] > 1000
    assert played.code == 0


def test_it_deploys_five_releases_and_only_the_broken_one_is_refused(played: Played) -> None:
    assert (played.figures["deploys"], played.figures["refused"]) == (5, 1)
    assert re.findall(r"release (\d)  live after", played.told) == ["2", "3", "5", "6"]
    assert re.findall(r"release (\d)  refused after", played.told) == ["4"]


def test_it_shows_why_the_broken_release_was_refused(played: Played) -> None:
    assert "ModuleNotFoundError: No module named 'discounts'" in played.told


def test_its_json_has_every_figure(played: Played) -> None:
    counts = {"requests", "failed", "reconnects", "deploys", "refused"}
    times = {f"p{p}_ms_{when}" for p in (50, 99) for when in ("steady", "deploying")}
    assert set(played.figures) == counts | times
    assert all(played.figures[time] > 0 for time in times)


def test_what_is_no_terminal_gets_plain_lines(played: Played) -> None:
    assert "\x1b" not in played.told
    assert "\r" not in played.told
    assert re.search(r"[\d,]+ requests   0 failed   0 reconnects", played.told)


def test_nothing_is_left_behind(played: Played) -> None:
    assert_nothing_left(played.told)


@pytest.mark.parametrize(
    ("number", "last_line"),
    [
        pytest.param(signal.SIGINT, "drain_timeout", id="Ctrl-C-during-the-first-deploy"),
        pytest.param(signal.SIGTERM, "clients begin", id="SIGTERM-under-load"),
    ],
)
def test_interrupted_it_leaves_nothing_behind(number: int, last_line: str) -> None:
    with subprocess.Popen(
        DEMO, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as demo:
        assert demo.stdout is not None
        told = ""
        while last_line not in told:
            line = demo.stdout.readline()
            assert line, told
            told += line
        os.killpg(demo.pid, number)  # as a terminal does: the load generator gets it, too
        told += demo.stdout.read()
    assert demo.returncode == 1
    assert f"interrupted by {signal.Signals(number).name}" in told
    assert_nothing_left(told)


def test_failing_half_way_it_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("half way")

    monkeypatch.setattr(story.Demo, "_watch", fail)
    with pytest.raises(RuntimeError, match="half way"):
        story.Demo(Terminal(sys.stdout, margin=10)).play()
    assert_nothing_left(capsys.readouterr().out)


def test_a_first_release_that_does_not_come_up_is_told_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(project, "BROKEN", 1)
    with pytest.raises(ZddError, match="No module named 'discounts'") as caught:
        story.Demo(Terminal(sys.stdout, margin=10)).play()
    assert caught.value.exit_code == 1
    assert_nothing_left(capsys.readouterr().out)


def assert_nothing_left(told: str) -> None:
    found = FOLDER.search(told)
    assert found, told
    assert not Path(found[0]).exists()
    assert leftovers(Path(found[0])) == []
