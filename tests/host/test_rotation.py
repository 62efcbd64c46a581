"""Rotation: the file stays, its writers go on, and nothing but the older part is anywhere else."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zdd.host import rotation

WRITER = """
import itertools, os, sys, time
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
for number in itertools.count():
    os.write(fd, b"%d %s\\n" % (number, b"x" * 80))
    if number % 100 == 0:
        time.sleep(0.001)
"""


def test_a_small_file_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("a" * 100)

    assert rotation.rotate(str(log), 100) is None
    assert rotation.rotate(str(log), 0) is None
    assert rotation.rotate(str(tmp_path / "none"), 100) is None
    assert log.read_text() == "a" * 100
    assert os.listdir(tmp_path) == ["web.log"]


def test_what_was_in_it_is_in_the_older_file_and_the_file_is_the_same(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    (tmp_path / "web.log.1").write_text("oldest")
    log.write_text("old\n")
    log.chmod(0o640)
    inode = log.stat().st_ino

    with log.open("a") as writer:
        assert rotation.rotate(str(log), 1) == 2
        writer.write("new\n")

    assert (tmp_path / "web.log.1").read_text() == "d\n"  # the end, as much as there may be
    assert (tmp_path / "web.log.1").stat().st_mode & 0o777 == 0o640
    assert log.read_text() == "new\n"
    assert log.stat().st_ino == inode
    assert sorted(os.listdir(tmp_path)) == ["web.log", "web.log.1"]


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("precious")
    (tmp_path / "web.log").symlink_to("theirs")

    assert not rotation.rotate(str(tmp_path / "web.log"), 1)
    assert (tmp_path / "theirs").read_text() == "precious"


def test_a_writer_loses_at_most_what_it_writes_in_the_instant_of_the_emptying(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    rotations: list[list[int]] = []
    with subprocess.Popen([sys.executable, "-c", WRITER, log]) as writer:
        try:
            while len(rotations) < 10:
                if rotation.rotate(str(log), 500_000) is not None:
                    rotations.append(numbers(tmp_path / "web.log.1"))
                time.sleep(0.001)
        finally:
            writer.kill()

    seen = list(itertools.chain(*rotations))
    assert seen == sorted(set(seen))  # none twice, none out of order
    lost = [after[0] - before[-1] - 1 for before, after in itertools.pairwise(rotations)]
    print(f"10 rotations of {len(seen)} lines that were written meanwhile: {lost} lost")
    assert sorted(lost)[4] < 1000  # of some 5,500 lines; we may have stood still in the middle of some rotations


def numbers(path: Path) -> list[int]:
    """The numbers of the lines, all but torn ones."""
    whole = [line for line in path.read_bytes().split(b"\n") if b" " in line and len(line) > 80]
    return [int(line.split()[0]) for line in whole]


@pytest.mark.parametrize("how", ["no room", "no room after all"])
def test_where_the_disk_has_no_room_for_a_copy_the_log_is_emptied_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    log = tmp_path / "web.log"
    log.write_text("x" * 100)
    (tmp_path / "web.log.1").write_text("older")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if how == "no room":
        monkeypatch.setattr(rotation, "_has_room", lambda *_: False)
    else:
        monkeypatch.setattr(os, "sendfile", full)

    assert rotation.rotate(str(log), 10) == 100
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"web.log": "", "web.log.1": "older"}


def test_a_hole_that_an_app_makes_is_not_copied_to_a_full_disk(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with log.open("w") as app:
        app.write("first")
        app.flush()
        os.ftruncate(app.fileno(), 1 << 40)

    assert rotation.rotate(str(log), 1000) == (1 << 40) - 2000
    assert sum(path.stat().st_blocks * 512 for path in tmp_path.iterdir()) < 1 << 20
    assert log.stat().st_size == 0


def test_two_at_a_time_do_not_rotate_the_same_log(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("x" * 100)

    with log.open() as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert rotation.rotate(str(log), 10) is None

    assert rotation.rotate(str(log), 10) == 80
