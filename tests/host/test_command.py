from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from zdd.host import command
from zdd.host.clock import Clock
from zdd.host.command import Commands, which


def test_of_output_without_end_the_end_is_read() -> None:
    result = Commands().run(["/bin/sh", "-c", "head -c 40000000 /dev/zero; echo the end"])

    assert result.output.endswith("the end\n")
    assert len(result.output) == 1 << 24


def test_a_program_is_found_where_the_shell_would_find_it(tmp_path: Path) -> None:
    for folder in ("a", "b", "b/tool"):
        (tmp_path / folder).mkdir()
    for name, mode in (("a/plain", 0o644), ("b/plain", 0o755), ("a/tool", 0o755)):
        (tmp_path / name).touch(mode)
    path = f"{tmp_path}/b::{tmp_path}/a"

    assert which("tool", path) == f"{tmp_path}/a/tool"  # the other one is a folder
    assert which("plain", f"{tmp_path}/a:{tmp_path}/b") == f"{tmp_path}/b/plain"
    assert which("missing", path) is None
    assert which(f"{tmp_path}/a/tool", "") == f"{tmp_path}/a/tool"
    assert which("sh") == shutil.which("sh")


def test_a_program_that_prints_without_end_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_MOST_KEPT", 1 << 20)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    used: list[int] = []

    def look() -> None:
        links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        output = next(link for link in links if os.path.islink(link) and os.readlink(link).startswith(f"{tmp_path}/"))
        used.append(os.stat(output).st_blocks)
        if used[-1] < max(used):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Commands().run(["/bin/sh", "-c", "head -c 8000000 /dev/zero; exec sleep 60"], interrupt=look)


def test_of_a_program_that_succeeds_only_stdout_may_be_wanted() -> None:
    """Of one that fails stderr says why."""
    script = "echo out; echo warning >&2; exit $0"
    run = Commands().run

    assert run(["sh", "-c", script, "0"], stdout_alone=True) == (0, "out\n")
    assert run(["sh", "-c", script, "3"], stdout_alone=True) == (3, "out\nwarning\n")
    assert run(["sh", "-c", script, "0"]) == (0, "out\nwarning\n")


def test_the_end_of_a_program_is_known_without_a_pause() -> None:
    """Each program of a deploy cost 10 ms more than it took."""

    class Sleepless(Clock):
        def sleep(self, seconds: float) -> None:
            raise AssertionError(f"waits {seconds:g} s")

    assert Commands().spawn(["sh", "-c", "sleep 0.1; exit 3"]).wait(60, Sleepless(), lambda: None) == 3


def test_a_wait_for_a_program_can_be_interrupted_and_has_a_limit() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    endless = Commands().spawn(["sleep", "1000"])
    with pytest.raises(KeyboardInterrupt):
        endless.wait(60, Clock(), interrupt)
    assert endless.status() == -9
    assert Commands().spawn(["sleep", "1000"]).wait(0.05, Clock(), lambda: None) is None
