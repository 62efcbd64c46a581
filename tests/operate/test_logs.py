"""Times in log lines, as programs write them."""

from __future__ import annotations

import calendar

import pytest

from zdd.operate import logs

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
