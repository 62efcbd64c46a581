"""The stop command of a classic instance comes when nginx's old workers have ended, and never for somebody else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from zdd.host.process import Process
from zdd.instances.classic import after_workers


@pytest.mark.parametrize(("instance", "is_stopped"), [("", True), ("alive", True), ("ended", False)])
def test_a_number_that_is_somebody_elses_by_now_is_not_stopped(tmp_path: Path, instance: str, is_stopped: bool) -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        main = Process.find(child.pid)
        assert main
        if instance == "ended":
            main.start_time += 1  # as that of a process that had this number before
        command = after_workers.command(0.0, [], main if instance else None, ["touch", "stopped"])
        subprocess.run(command, cwd=tmp_path, check=True)
        child.kill()

    assert (tmp_path / "stopped").exists() == is_stopped
