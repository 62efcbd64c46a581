"""The seeded bugs of tests/chaos follow the source: what each replaces is there, and the test that must notice it."""

from __future__ import annotations

from collections import Counter

import pytest

from .chaos.seeded_bugs import BUGS, Bug
from .test_quick import ROOT, run


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_what_it_replaces_stands_once_in_its_file(bug: Bug) -> None:
    assert (ROOT / "src/zdd" / bug.file).read_text().count(bug.old) == 1
    assert bug.new != bug.old


def test_each_has_a_name_of_its_own() -> None:
    assert [name for name, count in Counter(bug.name for bug in BUGS).items() if count > 1] == []


def test_the_tests_that_must_notice_them_are_there() -> None:
    collected = run("--collect-only", "-q", "-o", "addopts=--import-mode=importlib", *{bug.test for bug in BUGS})

    assert collected.returncode == 0, collected.stdout + collected.stderr
