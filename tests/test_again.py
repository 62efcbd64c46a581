"""`--again`, as .ci/run has it: what failed once by luck does not fail the run, and everything else does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .again import LOST
from .test_quick import run

LUCK = """
import pathlib
def test_first_time(request):
    marker = pathlib.Path(__file__).with_name("tried")
    tried = marker.exists()
    marker.write_text("")
    assert tried
"""
OFTEN = "def test_fails(): assert False\n"
LOSES = LUCK.replace("assert tried", f"assert tried, '{LOST}: 3 of 400'")
MANY = "\n".join(LUCK.replace("test_first_time", f"test_{n}").replace('tried"', f'tried{n}"') for n in range(4))


@pytest.mark.parametrize(
    ("tests", "code"), [(LUCK, 0), (OFTEN, 1), (LOSES, 1), (MANY, 1)], ids=["luck", "often", "lost requests", "many"]
)
def test_only_luck_is_excused(tmp_path: Path, tests: str, code: int) -> None:
    (tmp_path / "test_some.py").write_text(tests)

    result = run("--again", "-p", "tests.again", "-c", os.devnull, "--rootdir", tmp_path, tmp_path)

    assert result.returncode == code, result.stdout
    assert ("depends on luck" in result.stdout) == (code == 0)
