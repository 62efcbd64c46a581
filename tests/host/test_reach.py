from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.host import acl
from zdd.host.reach import first_unsearchable_folder

NOBODY = pwd.getpwnam("nobody")
GROUPS = os.getgrouplist("nobody", NOBODY.pw_gid)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        path = Path(name) / "home"
        path.mkdir()
        path.parent.chmod(0o755)
        yield path


def test_a_closed_home_is_in_the_way_of_all_below_it(folder: Path) -> None:
    folder.chmod(0o700)

    assert first_unsearchable_folder(f"{folder}/not/made/yet", NOBODY.pw_uid, GROUPS) == str(folder)
    assert first_unsearchable_folder(f"{folder}/not/made/yet", os.geteuid(), []) is None


def test_what_the_others_may_pass_is_not(folder: Path) -> None:
    folder.chmod(0o711)

    assert first_unsearchable_folder(f"{folder}/below", NOBODY.pw_uid, GROUPS) is None


def test_a_group_that_may_not_pass_does_not_although_all_others_may(folder: Path) -> None:
    folder.chmod(0o701)
    group = folder.stat().st_gid

    assert first_unsearchable_folder(str(folder), NOBODY.pw_uid, [group]) == str(folder)


def test_an_access_list_lets_a_user_pass(folder: Path) -> None:
    folder.chmod(0o700)
    acl.allow(str(folder), {NOBODY.pw_uid: acl.SEARCH})

    assert first_unsearchable_folder(str(folder), NOBODY.pw_uid, GROUPS) is None
    assert first_unsearchable_folder(str(folder), NOBODY.pw_uid + 1, []) == str(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize("mode", [0o700, 0o711, 0o755, 0o710, 0o701])
def test_the_kernel_agrees(folder: Path, mode: int) -> None:
    (folder / "below").mkdir()
    folder.chmod(mode)

    passed = subprocess.run(["/usr/bin/stat", folder / "below"], user="nobody", group=NOBODY.pw_gid, extra_groups=[],
                            capture_output=True, check=False).returncode == 0  # fmt: skip

    assert (first_unsearchable_folder(f"{folder}/below", NOBODY.pw_uid, GROUPS) is None) == passed
