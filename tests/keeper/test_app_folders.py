"""What the app has removed from its folders, and still has open or mapped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from zdd.keeper import app_folders

MAPPED = """
import mmap, os, sys
with open(sys.argv[1], "w+b") as file:
    file.truncate(mmap.PAGESIZE)
    kept = mmap.mmap(file.fileno(), mmap.PAGESIZE)
os.unlink(sys.argv[1])
print("mapped", flush=True)
sys.stdin.read()
"""


def searched(pid: int) -> set[str]:
    """Which folders of /proc/PID are read."""
    return {link.split("/")[3] for link in app_folders._links(pid)}


def test_only_what_has_mapped_something_that_is_removed_is_searched_for_it(tmp_path: Path) -> None:
    """A JVM maps a thousand files, and nothing is removed."""
    with subprocess.Popen(["sleep", "60"]) as child:
        assert searched(child.pid) == {"fd"}
        child.kill()
    argv = [sys.executable, "-c", MAPPED, str(tmp_path / "file")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"mapped\n"
        assert searched(child.pid) == {"fd", "map_files"}
        child.communicate()
