"""
The line that says why is found in what real programs print when they are broken.

Each file of tests/outputs is the output of one, and its first line what is to be found: as a cause, or as a guess.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from zdd import cause

OUTPUTS = sorted((Path(__file__).parent / "outputs").glob("*.txt"))
ACCESS = ['127.0.0.1 - - [31/Jan/2026:10:00:00 +0000] "GET /errors/fatal HTTP/1.1" 500 12'] * 500


@pytest.mark.parametrize("path", OUTPUTS, ids=lambda path: path.stem)
def test_the_line_that_says_why_is_found(path: Path) -> None:
    wanted, *lines = path.read_text(encoding="utf-8").splitlines()
    found, guessed = cause.find(lines), cause.guess(lines)

    assert (f"cause: {found}" if found else f"guess: {guessed}") == wanted


@pytest.mark.parametrize("path", OUTPUTS, ids=lambda path: path.stem)
def test_it_is_found_also_far_above_the_end(path: Path) -> None:
    wanted, *lines = path.read_text(encoding="utf-8").splitlines()
    if wanted.startswith("cause: "):
        assert f"cause: {cause.find([*lines, *ACCESS])}" == wanted


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["", "   "],
        ["INFO:     Started server process [1]", "INFO:     Application startup complete."],
        ["[notice] ready to handle connections", "listening on error.sock"],
        ACCESS,
        ["Puma starting in single mode...", "* Listening on http://127.0.0.1:3000"],
        ["> shop@1.0.0 start", "> node server.js"],
    ],
)
def test_calm_output_has_no_cause(lines: list[str]) -> None:
    assert cause.find(lines) is None


@pytest.mark.parametrize(
    ("lines", "likeliest"),
    [
        ([], None),
        (["----", "====", ""], None),
        (["the database says no"], "the database says no"),
        (["license missing", "bye"], "license missing"),
        (["[INFO] loading", "giving up", "[INFO] stopped"], "giving up"),
        (["INFO stopped"], "INFO stopped"),
    ],
)
def test_without_a_sure_line_the_likeliest_is_guessed(lines: list[str], likeliest: str | None) -> None:
    assert cause.guess(lines) == likeliest


def test_no_line_is_too_long_or_too_strange() -> None:
    found = cause.find(["x" * 10_000_000, "\0\x1b[31mValueError: " + "y" * 5000 + "\x07"])

    assert found is not None
    assert found.startswith("ValueError: yyy")
    assert len(found) < 400
    assert found.isprintable()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ERROR | no database", "no database"),  # a level, not a program
        ("[ERROR] no database", "no database"),
        ("2026-01-31 10:00:00.123 | ERROR    | shop:main:3 - no database", "shop:main:3 - no database"),
        ("web-1  | ERROR no database", "no database"),
        ("shop-web-1  | 2026-01-31 10:00:00 ERROR no database", "no database"),
        ("10:00:00 web.1    | Error: no database", "Error: no database"),
        ("[api] Error: no database", "Error: no database"),
        ("shop:start: Error: no database", "Error: no database"),
        ('time=2026-01-31T10:00:00Z level=ERROR msg="no database" err="refused"', "no database: refused"),
        ('{"level":"ERROR","msg":"no database","err":"refused"}', "no database: refused"),
    ],
)
def test_what_a_launcher_or_a_logger_writes_before_it_is_left_out(line: str, found: str) -> None:
    assert cause.find(["starting", line, "10:00:01 system   | sending SIGTERM to all processes"]) == found
