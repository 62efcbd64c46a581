"""The wheel in this folder is the old program, byte for byte as it was committed."""

from __future__ import annotations

import hashlib
import subprocess
from zipfile import ZipFile

import pytest

from tools.old_wheel import COMMIT, ROOT, WHEEL


def test_the_wheel_holds_the_code_of_its_commit() -> None:
    command = ["git", "-C", str(ROOT), "ls-tree", "-r", COMMIT, "src/zdd"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip(f"git has no commit {COMMIT[:7]} here")
    committed = {}
    for line in listed.stdout.splitlines():
        about, _, path = line.partition("\t")
        committed[path.removeprefix("src/")] = about.split()[2]

    with ZipFile(WHEEL) as wheel:
        held = {name: blob(wheel.read(name)) for name in wheel.namelist() if name.startswith("zdd/")}

    assert held == committed


def blob(data: bytes) -> str:
    """The name that git gives to this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
