"""Another user of the machine, who means ill: what he runs, as himself, and nothing else."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PYTHON = "/usr/bin/python3"  # one that every user may run
MALLORY = pwd.getpwnam("nobody")

needs_root = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run programs as other users"),
    pytest.mark.skipif(not os.path.exists(PYTHON), reason=f"{PYTHON} is not there for other users to run"),
]


@contextmanager
def attacking(script: str, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run a script of his beside the test, from the moment that it has printed a line."""
    attack = subprocess.Popen(_command(script, arguments), **_as_mallory(), stdout=subprocess.PIPE)
    assert attack.stdout
    try:
        assert attack.stdout.readline(), "the attack has ended before it began"
        yield attack
    finally:
        attack.kill()
        attack.wait()
        attack.stdout.close()


def attack(script: str, *arguments: str | Path) -> str:
    """Run a script of his to its end and return what it printed."""
    done = subprocess.run(_command(script, arguments), **_as_mallory(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    printed: str = done.stdout
    return printed


def give(*paths: Path) -> None:
    """Make them his."""
    for path in paths:
        os.chown(path, MALLORY.pw_uid, MALLORY.pw_gid, follow_symlinks=False)


def _command(script: str, arguments: tuple[str | Path, ...]) -> list[str | Path]:
    return [PYTHON, "-I", "-S", "-c", script, *arguments]


def _as_mallory() -> dict[str, Any]:
    return {
        "user": MALLORY.pw_uid,
        "group": MALLORY.pw_gid,
        "extra_groups": [],
        "cwd": "/",
        "stdin": subprocess.DEVNULL,
        "text": True,
    }
