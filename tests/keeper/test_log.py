"""A log that its app opens again, to append or to write: as root, as its user, and as another one."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.host import acl, rotation
from zdd.keeper.log import Log

NOBODY = pwd.getpwnam("nobody").pw_uid
USERS = [None, pytest.param(NOBODY, marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another"))]
SYSTEM = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable  # that any user may run
AGAIN = {
    "sh": ["sh", "-c", "echo first; echo again MODE/dev/stdout; echo last >&2"],
    "python": [
        SYSTEM,
        "-c",
        "print('first', flush=True); print('again', file=open('/dev/stdout', 'MODE'))\nprint('last')",
    ],
    "node": [
        shutil.which("node") or "node",
        "-e",
        "console.log('first'); fs.writeFileSync('/dev/stderr', 'again\\n', { flag: 'MODE' }); console.error('last')",
    ],
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """S/logs, where nobody else may look."""
    made = Path(tempfile.mkdtemp(dir="/tmp"))
    made.chmod(0o750)
    yield made
    shutil.rmtree(made)


def run(log: Log, words: list[str], user: int | None) -> None:
    """Run an app with the log as its output."""
    become = {} if user is None else {"user": user, "group": user, "extra_groups": []}
    subprocess.run(words, stdout=log.fd, stderr=log.fd, check=True, cwd="/", **become)  # type: ignore[call-overload]


def words(program: str, mode: str) -> list[str]:
    shell = {"a": ">>", "w": ">"}
    return [word.replace("MODE", shell[mode] if program == "sh" else mode) for word in AGAIN[program]]


def test_a_line_of_the_keeper_begins_below_what_the_app_has_printed(folder: Path) -> None:
    log = Log(f"{folder}/web-1.log", 0, None)
    log.write("first")
    os.write(log.fd, b"no licence key")
    log.write("the app ended")
    log.write("last")

    text = (folder / "web-1.log").read_text()
    assert [line.startswith("zdd: ") for line in text.splitlines()] == [True, False, True, True]
    assert text.splitlines()[1] == "no licence key"


@pytest.mark.parametrize("user", USERS, ids=["same", "another"])
@pytest.mark.parametrize("program", AGAIN)
def test_it_can_be_appended_to(folder: Path, program: str, user: int | None) -> None:
    log = Log(f"{folder}/web-1.log", 0, user)

    run(log, words(program, "a"), user)

    assert (folder / "web-1.log").read_text().splitlines() == ["first", "again", "last"]
    assert log.tend() is None
    assert os.listdir(folder) == ["web-1.log"]


@pytest.mark.parametrize("user", USERS, ids=["same", "another"])
@pytest.mark.parametrize("program", AGAIN)
def test_when_it_is_emptied_what_was_there_is_in_its_older_part(folder: Path, program: str, user: int | None) -> None:
    path = folder / "web-1.log"
    path.write_text("from before\n")
    log = Log(str(path), 0, user)
    os.write(log.fd, b"and since\n")
    assert log.tend() is None

    run(log, words(program, "w"), user)
    told = log.tend()

    assert path.read_text().splitlines() == ["again", "last"]
    assert Path(rotation.older(str(path))).read_text() == "from before\nand since\n"
    assert told is not None
    assert f"the end of what was in it is in {path}.1" in told
    os.write(log.fd, b"more\n")
    log.tend()
    run(log, words(program, "w"), user)
    assert log.tend() is None  # it is told once
    assert Path(rotation.older(str(path))).read_text() == "from before\nand since\nagain\nlast\nmore\n"


def test_it_is_noticed_also_when_more_has_been_written_since(folder: Path) -> None:
    path = folder / "web-1.log"
    path.write_text("from before\n")
    log = Log(str(path), 0, None)

    path.write_text("since then " * 100)

    assert log.tend()
    assert Path(rotation.older(str(path))).read_text() == "from before\n"


def test_a_rotation_is_no_emptying_and_is_made_as_ever(folder: Path) -> None:
    path = folder / "web-1.log"
    log = Log(str(path), 100, NOBODY if os.geteuid() == 0 else None)
    os.write(log.fd, b"x" * 101)

    assert log.tend() is None
    assert path.read_bytes() == b""
    os.write(log.fd, b"more")
    assert log.tend() is None
    assert path.read_bytes() == b"more"
    assert Path(rotation.older(str(path))).read_bytes() == b"x" * 101


def test_a_log_that_somebody_has_removed_is_let_be(folder: Path) -> None:
    path = folder / "web-1.log"
    log = Log(str(path), 100, None)
    os.write(log.fd, b"some")
    log.tend()
    path.unlink()

    assert log.tend() is None
    assert os.listdir(folder) == []


def test_a_full_disk_costs_only_what_was_emptied(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "web-1.log"
    path.write_text("from before\n")
    log = Log(str(path), 0, None)
    path.write_text("")

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(rotation, "add", full)

    assert log.tend() == "the app has emptied this log, and what was in it is lost: No space left on device"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_only_the_apps_user_is_let_in_and_only_to_write(folder: Path) -> None:
    path = folder / "web-1.log"
    log = Log(str(path), 0, NOBODY)
    reads = [SYSTEM, "-c", "open('/proc/self/fd/1').read()"]

    assert acl.read(str(path)) == ({NOBODY: acl.WRITE}, {None: acl.READ})
    for argv, user in ((reads, NOBODY), (words("python", "a"), pwd.getpwnam("www-data").pw_uid)):
        with pytest.raises(subprocess.CalledProcessError):
            run(log, argv, user)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_without_access_lists_it_becomes_the_users_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(95, os.strerror(95))

    monkeypatch.setattr(acl, "add", unsupported)
    log = Log(f"{folder}/web-1.log", 0, NOBODY)

    run(log, words("sh", "a"), NOBODY)

    assert (folder / "web-1.log").read_text().splitlines() == ["first", "again", "last"]


def test_a_writer_that_does_not_append_leaves_a_hole_that_neither_counts_nor_is_copied(folder: Path) -> None:
    path = folder / "web-1.log"
    log = Log(str(path), 100_000, None)
    with path.open("wb", buffering=0) as writer:
        writer.write(b"x" * 200_000)
        assert log.tend() is None
        assert path.stat().st_size == 0
        writer.write(b"y\n")
        for _ in range(3):
            assert log.tend() is None

    assert Path(rotation.older(str(path))).read_bytes() == b"x" * 200_000
    assert path.read_bytes().strip(b"\0") == b"y\n"
