"""What the tests themselves need of a machine that they share with others."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest

from . import machine

ANOTHER = """
import random, sys
random.seed(1)
from tests import machine
print(*(machine.free_port() for _ in range(40)), flush=True)
sys.stdin.read()
"""


def test_two_runs_of_tests_are_never_given_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither listens on them yet, and chance would choose the same ones for both."""
    monkeypatch.setattr(machine, "_free", [])
    with subprocess.Popen([sys.executable, "-c", ANOTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as another:
        assert another.stdout
        theirs = set(map(int, another.stdout.readline().split()))
        before = random.getstate()
        random.seed(1)
        ours = {machine.free_port() for _ in range(40)}
        random.setstate(before)

        assert len(ours) == len(theirs) == 40
        assert not ours & theirs
