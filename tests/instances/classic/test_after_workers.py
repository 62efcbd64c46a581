"""The stop command of a classic instance comes when nginx's old workers have ended, and never for somebody else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from zdd.host.process import Process
from zdd.instances.classic import after_workers


@pytest.mark.parametrize(("instance", "is_stopped"), [("", True), ("alive", True), ("ended", False)])
def test_a_number_that_is_somebody_elses_by_now_is_not_stopped(tmp_path: Path, instance: str, is_stopped: bool) -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        found = Process.find(child.pid)
        assert found
        start_time = found.start_time + (instance == "ended")  # as that of a process that had this number before
        words = instance and f"{child.pid}:{start_time}"
        command = [sys.executable, "-I", "-S", after_workers.__file__, "0", "", words, "--", "touch", "stopped"]
        subprocess.run(command, cwd=tmp_path, check=True)
        child.kill()

    assert (tmp_path / "stopped").exists() == is_stopped
