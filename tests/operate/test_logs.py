"""Times in log lines, as programs write them; and a log that is followed while it is rotated."""

from __future__ import annotations

import calendar
from pathlib import Path

import pytest

from tests.deploy.world import load
from zdd.host import rotation
from zdd.operate import logs
from zdd.paths import Paths

MOMENT = calendar.timegm((2026, 11, 23, 15, 33, 14))


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T15:33:14Z started",
        "2026-11-23 15:33:14+00:00 started",
        "[2026-11-23 15:33:14 +0000] [7] [INFO] Starting gunicorn",
        "zdd: 2026-11-23 16:33:14+0100 web-1: the app ended",
        '{"time":"2026-11-23T15:33:14.000000001Z","msg":"x"}',
        '127.0.0.1 - - [23/Nov/2026:15:33:14 +0000] "GET / HTTP/1.1" 200',
    ],
)
def test_a_time_with_its_zone_is_found_in_the_usual_places(text: str) -> None:
    assert logs.time_of(text) == MOMENT


def test_without_a_zone_it_is_local_and_fractions_count(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    assert logs.time_of("2026/11/23 15:33:14 [error] 7#7: *1 connect() failed") == MOMENT
    assert logs.time_of("2026-11-23 15:33:14,250 INFO x") == MOMENT + 0.25


@pytest.mark.parametrize(
    "text", ["", "INFO:     Started", "2026-99-23 15:33:14", "23/Foo/2026:15:33:14 +0000", "x" * 120]
)
def test_a_line_without_a_time_has_none(text: str) -> None:
    assert logs.time_of(text) is None


def test_what_is_followed_is_shown_once_though_its_log_is_empty_after_a_rotation(tmp_path: Path) -> None:
    (tmp_path / "deploy.toml").write_text('[zdd]\nstate_dir = "S"\nruntime_dir = "R"\n[service.web]\nrun = "app"\n')
    paths = Paths(load(tmp_path))
    paths.prepare()
    log = Path(paths.log("web-1"))
    log.write_text("before\n")
    follower = logs.Follower(paths, ["web"], None)

    with log.open("a") as app:
        app.write("shown\n")
    rotation.rotate(str(log), 10)

    assert [line.text for line in follower.new()] == ["shown"]
    assert [line.text for line in follower.new()] == []
    with log.open("a") as app:
        app.write("after\n")
    assert [line.text for line in follower.new()] == ["after"]
