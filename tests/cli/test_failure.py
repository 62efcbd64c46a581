"""A failure on a terminal: its first line, which names the cause, and all that follows fit on the screen."""

from __future__ import annotations

import io

import pytest

from zdd.cli import failure
from zdd.events import Failed

LONG = [f"line {number} of a very long traceback" + " that goes on and on" * 20 for number in range(20)]
FAILED = Failed(
    cause="web: `gunicorn wsgi:nope` ended with exit status 4 before it was healthy; its log says: Failed to find it",
    output=LONG,
    log="/var/lib/zdd/shop/logs/web-2.log",
    hint="a hint that takes more than one row of the terminal, since there is much to say about what could be done",
)


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, failed: Failed) -> list[str]:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("sys.stderr", stream)
    failure.show(failed)
    return stream.getvalue().splitlines()


def test_it_fits_on_a_small_terminal_with_room_for_what_serves_now(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, Screen(), FAILED)

    assert lines[0].startswith("zddeploy: web: `gunicorn wsgi:nope` ended")
    assert sum(max(1, -(-len(line) // 80)) for line in lines) <= 24 - 4
    assert [line for line in lines if line.startswith("  | line 19 ")]
    assert "  all its output: /var/lib/zdd/shop/logs/web-2.log" in lines


def test_elsewhere_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, io.StringIO(), FAILED)

    assert lines[0] == f"zddeploy: {FAILED.cause}"
    assert lines[1:21] == [f"  | {line}" for line in LONG]
    assert lines[-1] == f"  {FAILED.hint}"


def test_some_output_is_shown_even_if_the_cause_fills_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = shown(monkeypatch, Screen(), Failed(cause="word " * 400, output=["one", "two", "three", "four"], log="log"))

    assert [line for line in lines if "|" in line] == ["  | two", "  | three", "  | four"]


def test_what_has_printed_nothing_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, Screen(), Failed(cause="no", log="log"))[1:] == ["  it has printed nothing (log)"]
