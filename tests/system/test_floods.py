"""An app that fills what it can reach takes itself down, and nothing else: not the disk, not `/run`. Needs root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .project import Project, configure, eventually, service, version
from .stranger import MALLORY, PYTHON, needs_root

pytestmark = needs_root

MEGABYTE = 1 << 20
# Prints four megabytes a second, whatever becomes of them, and serves all the while.
FLOODER = """
import os, runpy, sys, threading, time
def flood():
    printed = 0
    while True:
        try:
            printed += os.write(1, b"x" * 39999 + b"\\n")
        except OSError:
            pass
        with open("printed", "w") as told:
            told.write(str(printed))
        time.sleep(0.01)
threading.Thread(target=flood, daemon=True).start()
sys.argv = ["plain.py", sys.argv[1]]
runpy.run_path("plain.py", run_name="__main__")
"""


@pytest.fixture
def disk(project: Project) -> Iterator[Path]:
    """A disk of 24 MB where the state is."""
    project.state.mkdir(mode=0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", project.state], check=True)
    yield project.state
    project.zddeploy("down", code=None)
    subprocess.run(["umount", "-l", project.state], check=True)


def free(disk: Path) -> int:
    status = os.statvfs(disk)
    return status.f_bavail * status.f_frsize


def test_an_app_that_floods_its_log_does_not_fill_the_disk(project: Project, disk: Path) -> None:
    run = f"{PYTHON} -S flooder.py {{fd}}"
    configure(project, service("web", run=run, user=MALLORY.pw_name, keep_warm="0s"), log_max="4M")
    project.write("flooder.py", FLOODER)
    project.write("printed", "0").chmod(0o666)
    project.zddeploy()

    eventually(lambda: int((project.folder / "printed").read_text() or 0) > 40 * MEGABYTE)

    eventually(lambda: free(disk) > 8 * MEGABYTE)
    version(project, 2)
    project.zddeploy()
    assert "web 2" in project.get()
    log = disk / "logs/web-1.log.1"
    assert log.stat().st_size <= 9 * MEGABYTE
    assert "xxx" in project.zddeploy("logs", "web", "-n", "3").stdout
