from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.host import acl

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to try as other users")


@pytest.fixture
def folder() -> Iterator[str]:
    made = tempfile.mkdtemp(dir="/tmp")
    os.chmod(made, 0o711)
    yield made
    shutil.rmtree(made)


@needs_root
def test_the_named_user_can_connect_and_no_other_can(folder: str) -> None:
    path = f"{folder}/socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        acl.allow(path, {pwd.getpwnam("www-data").pw_uid: acl.READ | acl.WRITE})

        assert connects("www-data", path)
        assert not connects("nobody", path)


@needs_root
def test_the_named_user_can_pass_a_folder_and_no_other_can(folder: str) -> None:
    inner = f"{folder}/inner"
    os.mkdir(inner, 0o700)

    acl.allow(inner, {pwd.getpwnam("www-data").pw_uid: acl.SEARCH})

    assert runs_as("www-data", ["test", "-x", inner])
    assert not runs_as("www-data", ["ls", inner])
    assert not runs_as("nobody", ["test", "-x", inner])


def connects(user: str, path: str) -> bool:
    code = f"import socket; socket.socket(socket.AF_UNIX).connect({path!r})"
    return runs_as(user, ["/usr/bin/python3", "-c", code])


def runs_as(user: str, argv: list[str]) -> bool:
    uid = pwd.getpwnam(user).pw_uid
    return subprocess.run(argv, user=uid, group=uid, extra_groups=[], capture_output=True, check=False).returncode == 0


def test_one_more_user_may_pass_and_everybody_else_keeps_what_they_have(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(0o750)

    acl.let_also_pass(str(folder), 4711)
    acl.let_also_pass(str(folder), 4712)
    acl.let_also_pass(str(folder), 4711)

    assert acl.read(str(folder)) == ({4711: acl.SEARCH, 4712: acl.SEARCH}, {None: acl.READ | acl.SEARCH})
    assert folder.stat().st_mode & 0o777 == 0o750


def test_a_folder_that_is_closed_to_others_has_no_file_that_they_can_read(tmp_path: Path) -> None:
    old, link = tmp_path / "old", tmp_path / "link"
    (tmp_path.parent / "theirs").touch(mode=0o644)
    link.symlink_to(tmp_path.parent / "theirs")
    old.touch()
    old.chmod(0o644)

    acl.close_to_others(str(tmp_path))

    umask = os.umask(0)
    (tmp_path / "new").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/new").touch()
    os.umask(umask)
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("old", "new", "folder", "folder/new")}
    assert modes == {"old": 0o640, "new": 0o640, "folder": 0o750, "folder/new": 0o640}
    assert acl.read(str(tmp_path / "new")) == ({}, {})
    assert (tmp_path.parent / "theirs").stat().st_mode & 0o004
