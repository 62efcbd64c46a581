"""Rotation of nginx's access log: no line is lost, whenever a process that rotates it dies."""

from __future__ import annotations

import fcntl
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd.host import acl, reopen

# It writes its own title over its arguments as nginx does, and opens its log again by name when it is told to.
WRITER = """
import os, signal, sys, time
path = sys.argv[2]
opened = lambda: os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
fd = opened()
def reopen(*_):
    fresh = opened()
    os.dup2(fresh, fd)
    os.close(fresh)
signal.signal(signal.SIGUSR1, reopen)
number = 0
while True:
    os.write(fd, b"%d\\n" % number)
    number += 1
    time.sleep(0.0005)
"""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can let another user write the log")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "logs/access/access.log"
    path.parent.parent.mkdir(mode=0o750)
    reopen.make(str(path), os.geteuid())
    return path


@pytest.fixture
def writer(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = ["nginx: worker process", "-c", WRITER, "", str(log)]
    with subprocess.Popen(argv, executable=sys.executable) as process:
        eventually(lambda: log.stat().st_size > 100)
        yield process
        process.kill()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def rotate(log: Path, most: int) -> None:
    eventually(lambda: reopen.rotate(str(log), most))


def numbers(log: Path) -> list[int]:
    older = log.with_name("access.log.1")
    text = (older.read_text() if older.exists() else "") + log.read_text()
    return [int(line) for line in text.splitlines()]


def test_a_small_log_is_left_alone(log: Path) -> None:
    log.write_text("a" * 100)

    assert reopen.rotate(str(log), 100)
    assert reopen.rotate(str(log), 0)
    assert reopen.rotate(f"{log.parent}.none/access.log", 1)

    assert os.listdir(log.parent) == ["access.log"]


def test_each_line_is_in_one_of_both_files(log: Path, writer: subprocess.Popen[bytes]) -> None:
    rotate(log, 100)

    assert mode(log) == 0o640
    eventually(lambda: log.stat().st_size > 100)
    writer.kill()
    writer.wait()
    assert numbers(log) == list(range(len(numbers(log))))


def test_the_next_call_goes_on_where_one_that_was_killed_has_stopped(
    log: Path, writer: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_create", "_holders"):  # right after the rename, and once the new file is there
        with monkeypatch.context() as patch:
            patch.setattr(reopen, name, lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                reopen.rotate(str(log), 100)
        if name == "_holders":
            assert (mode(log), log.stat().st_size) == (0o600, 0)

        rotate(log, 1 << 30)

        assert mode(log) == 0o640
        eventually(lambda: log.stat().st_size > 100)
        writer.send_signal(signal.SIGSTOP)
        known = numbers(log)
        assert known == list(range(known[0], known[0] + len(known)))
        writer.send_signal(signal.SIGCONT)


def test_until_every_writer_has_opened_it_again_the_rotation_is_not_done(
    log: Path, writer: subprocess.Popen[bytes]
) -> None:
    writer.send_signal(signal.SIGSTOP)

    assert not reopen.rotate(str(log), 100)
    assert not reopen.rotate(str(log), 100)
    assert mode(log) == 0o600

    writer.send_signal(signal.SIGCONT)
    rotate(log, 1 << 30)
    assert mode(log) == 0o640


def test_an_nginx_that_starts_meanwhile_is_waited_for_and_not_ended(log: Path) -> None:
    """It has opened its log, but it has neither its title nor its handlers of signals yet."""
    starts = "import sys, time; file = open(sys.argv[1], 'a'); time.sleep(600)"
    with subprocess.Popen(["/usr/sbin/angie", "-c", starts, str(log)], executable=sys.executable) as starting:
        try:
            eventually(lambda: str(log) in (reopen._opened(starting.pid) or ()))
            log.write_text("a" * 100)

            assert not reopen.rotate(str(log), 1)
            assert not reopen.rotate(str(log), 1)
            assert starting.poll() is None
        finally:
            starting.kill()
    rotate(log, 1 << 30)
    assert mode(log) == 0o640


@pytest.mark.parametrize("then", ["rotate", "deploy"])
@pytest.mark.parametrize("is_rotated", [False, True])
def test_a_log_that_somebody_has_removed_is_made_again_and_nginx_writes_into_it(
    log: Path, writer: subprocess.Popen[bytes], is_rotated: bool, then: str
) -> None:
    """As to make room: without it nginx writes on into a file that has no name, and nobody rotates that."""
    if is_rotated:
        rotate(log, 100)
    for path in list(log.parent.iterdir()):
        path.unlink()
    if then == "deploy":
        reopen.make(str(log), os.geteuid())

    rotate(log, 1 << 30)

    eventually(lambda: log.stat().st_size > 100)
    assert mode(log) == 0o640
    assert f"{log} (deleted)" not in (reopen._opened(writer.pid) or ())


def test_only_one_at_a_time_rotates(log: Path) -> None:
    log.write_text("a" * 100)
    folder = os.open(log.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)

    assert not reopen.rotate(str(log), 1)

    os.close(folder)
    assert reopen.rotate(str(log), 1)


def test_a_process_that_is_not_nginx_is_sent_nothing(log: Path) -> None:
    argv = [sys.executable, "-c", "import sys, time; file = open(sys.argv[1], 'a'); time.sleep(600)", str(log)]
    with subprocess.Popen(argv) as bystander:
        eventually(lambda: str(log) in (reopen._opened(bystander.pid) or ()))
        log.write_text("a" * 100)

        rotate(log, 1)

        assert bystander.poll() is None
        bystander.kill()


def test_a_link_or_a_folder_in_its_place_is_left_alone(log: Path) -> None:
    theirs = log.with_name("theirs")
    theirs.write_text("precious" * 100)
    log.unlink()
    log.symlink_to("theirs")

    assert not reopen.rotate(str(log), 1)
    with pytest.raises(OSError, match="no plain file"):
        reopen.make(str(log), os.geteuid())

    assert sorted(os.listdir(log.parent)) == ["access.log", "theirs"]
    assert theirs.read_text() == "precious" * 100


@needs_root
def test_nginx_s_user_can_open_the_log_and_make_nothing_beside_it(log: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    log.parent.parent.parent.chmod(0o755)

    reopen.make(str(log), nobody)
    reopen.make(str(log), nobody)

    assert (mode(log), log.stat().st_uid) == (0o640, nobody)
    for folder in (log.parent, log.parent.parent):
        assert (mode(folder), folder.stat().st_uid) == (0o750, 0)
        assert acl.read(str(folder)) == ({nobody: acl.SEARCH}, {None: acl.READ | acl.SEARCH})


@needs_root
def test_where_the_writer_cannot_come_the_content_is_moved(log: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    reopen.make(str(log), nobody)
    log.parent.parent.chmod(0o700)
    os.removexattr(log.parent.parent, "system.posix_acl_access")
    log.write_text("a" * 100)
    inode = log.stat().st_ino

    assert reopen.rotate(str(log), 60)

    assert (log.stat().st_ino, log.stat().st_size) == (inode, 0)
    assert log.with_name("access.log.1").read_text() == "a" * 100
