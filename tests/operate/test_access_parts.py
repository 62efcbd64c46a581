"""The files of the access log, over all that can happen to them between two looks."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.host import rotation
from zdd.host.clock import Clock
from zdd.operate.access_parts import Parts


class PushedClock(Clock):
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time


class Log:
    """A log as nginx writes it, and who reads it."""

    def __init__(self, folder: Path) -> None:
        self.path, self.older = folder / "access.log", folder / "access.log.1"
        self.clock = PushedClock()
        self.path.touch()
        self.writer = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        self.parts: Parts | None = None

    def read(self) -> Parts:
        self.parts = Parts(str(self.path), self.clock)
        return self.parts

    def write(self, *lines: str) -> None:
        os.write(self.writer, "".join(f"{line}\n" for line in lines).encode())

    def rotate(self) -> None:
        """Rename the log; nginx writes on into the same file until it opens the new one."""
        self.path.rename(self.older)
        self.path.touch()

    def reopen(self) -> None:
        os.close(self.writer)
        self.writer = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)

    def copy(self) -> None:
        """Rotate by copying, as where nginx's user cannot open a log by its name."""
        rotation.rotate(str(self.path), self.path.stat().st_size - 1)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path)
    yield made
    os.close(made.writer)
    if made.parts:
        made.parts.close()


def new(parts: Parts) -> list[str]:
    return [line.decode() for line in parts.new()]


def old(parts: Parts) -> list[str]:
    forwards = [line.decode() for line in parts.forwards() if line]
    assert [line.decode() for line in parts.backwards() if line] == forwards[::-1]
    return forwards


def test_each_line_is_read_once(log: Log) -> None:
    log.write("a", "b")
    parts = log.read()
    log.write("c")

    assert old(parts) == ["a", "b"], "c came after the beginning"
    assert new(parts) == ["c"]
    assert new(parts) == []
    log.write("d")
    assert new(parts) == ["d"]
    assert not parts.missed


def test_a_line_that_is_written_in_two_parts_is_read_once_it_is_whole(log: Log) -> None:
    os.write(log.writer, b"a\nbegun")
    parts = log.read()

    assert old(parts) == ["a"]
    assert new(parts) == []
    os.write(log.writer, b" and ended\nnext")
    assert new(parts) == ["begun and ended"]
    os.write(log.writer, b"\n")
    assert new(parts) == ["next"]


def test_the_part_before_comes_first_and_late_lines_of_it_are_new(log: Log) -> None:
    log.write("a")
    log.rotate()
    parts = log.read()
    log.write("late")
    log.reopen()
    log.write("b")

    assert old(parts) == ["a"]
    assert new(parts) == ["late", "b"]


def test_over_one_rotation_no_line_is_missed(log: Log) -> None:
    parts = log.read()
    log.write("a")
    log.rotate()
    log.write("b")
    assert new(parts) == ["a", "b"]
    log.write("c")
    log.reopen()
    log.write("d")
    assert new(parts) == ["c", "d"]
    assert not parts.missed


def test_over_two_rotations_between_two_looks_no_line_is_missed_and_it_is_said_that_some_may_be(log: Log) -> None:
    log.write("old")
    log.rotate()
    log.reopen()
    parts = log.read()
    for line in ("a", "b", "c"):
        log.write(line)
        if line != "c":
            log.rotate()
            log.reopen()

    assert new(parts) == ["a", "b", "c"]
    assert parts.missed
    log.write("d")
    assert new(parts) == ["d"]
    assert not parts.missed


def test_of_three_rotations_the_lines_that_are_left_are_read(log: Log) -> None:
    parts = log.read()
    for line in ("a", "lost", "c", "d"):
        log.write(line)
        if line != "d":
            log.rotate()
            log.reopen()

    assert new(parts) == ["a", "c", "d"]
    assert parts.missed


def test_between_rename_and_the_new_file_the_old_one_is_read(log: Log) -> None:
    parts = log.read()
    log.path.rename(log.older)
    log.write("a")
    assert new(parts) == ["a"]
    log.reopen()
    log.write("b")
    assert new(parts) == ["b"]


def test_a_removed_log_is_read_as_long_as_nginx_writes_into_it(log: Log) -> None:
    log.write("old")
    log.rotate()
    log.reopen()
    parts = log.read()
    log.path.unlink()
    log.write("a")
    assert new(parts) == ["a"]
    log.clock.time += 60
    log.write("b")
    assert new(parts) == ["b"]
    log.path.touch()
    log.write("c")
    assert new(parts) == ["c"]
    log.reopen()
    log.write("d")
    assert new(parts) == ["d"]
    assert not parts.missed


def test_a_log_that_is_made_later_is_read_from_its_beginning(log: Log) -> None:
    log.path.unlink()
    parts = log.read()
    assert new(parts) == []
    log.reopen()
    log.write("a")
    assert new(parts) == ["a"]
    assert not parts.missed


@pytest.mark.parametrize("kept", ["", "a\n", "a much longer line than before\nand one more\n"])
def test_an_emptied_log_is_read_from_its_beginning(log: Log, kept: str) -> None:
    """Also if more was written since than was there before."""
    log.write("before")
    parts = log.read()
    os.truncate(log.path, 0)
    os.write(log.writer, kept.encode())

    assert new(parts) == kept.splitlines()
    log.write("next")
    assert new(parts) == ["next"]


def test_over_a_rotation_by_copying_no_line_is_read_twice_and_none_is_missed(log: Log) -> None:
    parts = log.read()
    log.write("a", "b")
    assert new(parts) == ["a", "b"]
    log.write("c")
    log.copy()
    log.write("d")
    assert new(parts) == ["c", "d"]
    log.write("e")
    log.copy()
    assert new(parts) == ["e"]
    log.write("f")
    log.copy()
    log.write("a longer line than all that were there before")
    assert new(parts) == ["f", "a longer line than all that were there before"]
    assert not parts.missed
    assert new(parts) == []


def test_of_a_copy_that_has_only_the_end_of_a_large_log_the_rest_is_read(log: Log) -> None:
    parts = log.read()
    log.write("a" * 1000, "b" * 1000)
    assert len(new(parts)) == 2
    log.write("c")
    log.older.write_bytes(log.path.read_bytes()[500:])
    os.truncate(log.path, 0)

    assert new(parts) == ["c"]
    assert not parts.missed


def test_a_copy_that_is_not_done_is_not_read(log: Log) -> None:
    parts = log.read()
    log.write("a")
    log.older.write_bytes(b"a\n")
    assert new(parts) == ["a"]
    log.write("b")
    log.older.write_bytes(b"a\nb\n")
    os.truncate(log.path, 0)
    log.write("c")
    assert new(parts) == ["b", "c"]
    assert not parts.missed


def test_over_two_rotations_by_copying_it_is_said_that_lines_may_be_missing(log: Log) -> None:
    parts = log.read()
    log.write("a")
    assert new(parts) == ["a"]
    for line in ("lost", "also lost"):
        log.write(line)
        log.copy()
    log.write("d")

    assert new(parts) == ["d"]
    assert parts.missed


@pytest.mark.parametrize("kind", ["rename", "copy"])
@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_each_line_is_read_once(log: Log, kind: str, seed: int) -> None:
    """Between two looks a log is renamed at most twice, or copied once."""
    chance, written, shown, rotations = random.Random(seed), list[str](), list[str](), 0

    def write() -> None:
        written.append(f"line {len(written)} {'x' * chance.choice([0, 5, 400, 1500])}")
        log.write(written[-1])

    parts = log.read()
    for _ in range(60):
        what = chance.choice(["write", "write", "look", "rotate"])
        if what == "write":
            write()
        elif what == "look":
            shown += new(parts)
            rotations = 0
        elif kind == "rename" and rotations < 2:
            log.rotate()
            write()
            log.reopen()
            log.clock.time += chance.choice([0, 10])
            rotations += 1
        elif kind == "copy" and not rotations and log.path.stat().st_size:
            log.copy()
            rotations += 1

    assert sorted(shown + new(parts)) == sorted(written)


@pytest.mark.parametrize("name", ["path", "older"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_plain_file_is_never_read(log: Log, tmp_path: Path, name: str, kind: str) -> None:
    parts = log.read()
    log.write("a")
    other: Path = getattr(log, name)
    other.unlink(missing_ok=True)
    if kind == "link":
        (tmp_path / "secret").write_text("secret\n")
        other.symlink_to(tmp_path / "secret")
    elif kind == "pipe":
        os.mkfifo(other)
    else:
        other.mkdir()

    assert new(parts) == ["a"]
    log.write("b")
    assert new(parts) == ["b"]
    again = Parts(str(log.path), log.clock)
    assert [line for line in old(again) if line not in ("a", "b")] == []
    again.close()


def test_files_that_have_left_their_names_are_closed_some_time_later(log: Log) -> None:
    before = len(os.listdir("/proc/self/fd"))
    parts = log.read()
    for number in range(20):
        log.write(str(number))
        log.rotate()
        log.reopen()
        assert new(parts) == [str(number)]
        log.clock.time += 6
    new(parts)

    assert len(os.listdir("/proc/self/fd")) - before <= 3
    parts.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_hole_that_makes_a_file_seem_endless_is_skipped(log: Log) -> None:
    log.write("a")
    os.truncate(log.path, 1 << 40)
    log.write("b")
    parts = log.read()

    assert [line.strip(b"\0") for line in parts.forwards() if line.strip(b"\0")] == [b"a", b"b"]
    log.write("c")
    assert new(parts) == ["c"]
