"""What zdd does with its own process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FORKS = """\
import os, signal, sys
from zdd.host import own_process

def record(pid):
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if sys.argv[1] == "fails":
        raise OSError

if own_process.fork(record) == 0:
    open(sys.argv[2], "w").close()
"""


@pytest.mark.parametrize(("fate", "goes_on"), [("killed", False), ("fails", True), ("lives", True)])
def test_a_child_that_is_not_recorded_does_nothing(tmp_path: Path, fate: str, goes_on: bool) -> None:
    """Its output is a pipe that ends when all of them have ended."""
    run = [sys.executable, "-c", FORKS, fate, str(tmp_path / "done")]

    subprocess.run(run, stdout=subprocess.PIPE, check=False)

    assert (tmp_path / "done").exists() is goes_on
