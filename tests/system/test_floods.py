"""An app that fills what it can reach takes itself down, and nothing else: not the disk, not `/run`. Needs root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import eventually

from .project import Project, configure, service, version
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


# Serves, and fills the folder of its socket in one of these ways when a file `fill` says so.
FILLER = """
import mmap, os, runpy, socket, sys, threading, time
folder = os.path.dirname(socket.socket(fileno=os.dup(3)).getsockname())
def names():
    for number in range(500):
        open(f"{folder}/{number}", "w").close()
def nested():
    os.makedirs("/".join([folder, *"d" * 200]))
def bytes():
    with open(f"{folder}/big", "wb") as file:
        file.write(b"x" * (4 << 20))
def removed():
    global kept
    kept = open(f"{folder}/big", "wb")
    os.unlink(kept.name)
    kept.write(b"x" * (8 << 20))
    kept.flush()
def nameless():
    global kept
    kept = os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(kept, b"x" * (8 << 20))
def mapped():
    global kept
    with open(f"{folder}/big", "w+b") as file:
        os.ftruncate(file.fileno(), 8 << 20)
        kept = mmap.mmap(file.fileno(), 8 << 20)
    os.unlink(f"{folder}/big")
    kept.write(b"x" * (8 << 20))
def fill():
    while not os.path.exists("fill"):
        time.sleep(0.05)
    way = open("fill").read()
    if way != "filled":
        globals()[way]()
threading.Thread(target=fill, daemon=True).start()
sys.argv = ["plain.py", sys.argv[1]]
runpy.run_path("plain.py", run_name="__main__")
"""
WAYS = {
    "names": "more than 64 files",
    "nested": "more than 64 files",
    "bytes": "more than 1 MiB",
    "removed": "more than 1 MiB",
    "nameless": "more than 1 MiB",
    "mapped": "more than 1 MiB",
}


@pytest.fixture
def run(project: Project) -> Iterator[Path]:
    """A disk in memory where the runtime folder is, as in /run."""
    project.runtime.mkdir(mode=0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "tmpfs", project.runtime], check=True)
    yield project.runtime
    project.zddeploy("down", code=None)
    subprocess.run(["umount", "-l", project.runtime], check=True)


@pytest.mark.parametrize("way", WAYS)
def test_an_app_that_fills_the_folder_of_its_socket_takes_only_itself_down(
    project: Project, run: Path, way: str
) -> None:
    start = f"{PYTHON} -S filler.py {{fd}}"
    other = service("api", run=f"{PYTHON} -S plain.py {{fd}}", path="/api", user="www-data")
    configure(project, service("web", run=start, user=MALLORY.pw_name, keep_warm="0s"), other)
    project.write("filler.py", FILLER)
    project.zddeploy()
    before = free(run)

    project.write("fill.new", way).rename(project.folder / "fill")
    eventually(lambda: WAYS[way] in project.log("web-1.log"))
    project.write("fill.new", "filled").rename(project.folder / "fill")

    eventually(lambda: project.status()["state"] == "serving")
    eventually(lambda: free(run) > before - MEGABYTE)
    assert "into the folder of its socket" in project.log("web-1.log")
    assert "web 1" in project.get()
    assert "api 1" in project.get("/api")
    assert project.instances("api")["api-1"]["restarts"] == 0
    version(project, 2)
    project.zddeploy()
    assert "web 2" in project.get()


def test_an_app_that_fills_it_at_its_start_fails_its_own_deploy(project: Project, run: Path) -> None:
    start = f"{PYTHON} -S filler.py {{fd}}"
    configure(project, service("web", run=start, user=MALLORY.pw_name, health_path="/no", health_status="404"))
    project.write("filler.py", FILLER)
    project.write("fill", "bytes")

    failed = project.zddeploy(code=1)

    assert "because the app has put more than 1 MiB into the folder of its socket" in failed.stderr
    eventually(lambda: free(run) > 60 * MEGABYTE)
