"""Lines that stay, and one that lives."""

from __future__ import annotations

import io

import pytest

from zdd.terminal import Terminal, fitted, size


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def terminal_of_forty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_line_that_stays_takes_the_place_of_the_living_one() -> None:
    terminal = Screen()
    stage = Terminal(terminal, margin=10)
    stage.show("1 request")
    stage.show("2 requests")
    stage.say("done")
    assert [part.split("\x1b[0m")[0].strip() for part in terminal.getvalue().split("\r\x1b[K")] == [
        "\x1b[36m          1 request",
        "\x1b[36m          2 requests",
        "done",
    ]


def test_the_living_line_never_wraps() -> None:
    terminal = Screen()
    Terminal(terminal, margin=10).show("x" * 100)
    assert terminal.getvalue().count("x") == 40 - 1 - 10


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Screen()
    stage = Terminal(terminal, margin=10)
    stage.say("words", "red", bold=True)
    stage.show("living")
    assert terminal.getvalue() == "words\n          living"


def test_elsewhere_nothing_lives_but_counts_are_kept() -> None:
    file = io.StringIO()
    stage = Terminal(file, margin=10)
    stage.show("living")
    stage.keep("counts")
    stage.say("words", "red")
    assert file.getvalue() == "   0.0 s  counts\nwords\n"


def test_long_lines_are_broken_between_words_but_not_within_a_command() -> None:
    text = "  once, and then never again: `sudo zddeploy enable` has it so\nshort"

    assert fitted(text, io.StringIO()) == text
    assert fitted(text, Screen()).splitlines() == [
        "  once, and then never again:",
        "    `sudo zddeploy enable` has it so",
        "short",
    ]


@pytest.mark.parametrize("columns", ["", "0", "\xb2", "-1", "9" * 500, "a"])
def test_columns_that_are_no_number_do_not_count(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    with monkeypatch.context() as patched:  # pytest asks for them, too
        patched.setenv("COLUMNS", columns)
        found = size().columns

    assert 0 < found < 10_000
