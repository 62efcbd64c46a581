"""A full disk is named, with what shows how much is left, whatever step met it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.deploy.world import World, load
from zdd.deploy import full_disk, pipeline
from zdd.deploy.steps import Step
from zdd.errors import DeployFailed
from zdd.project import Project


def test_the_disk_without_room_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_disk, "_is_full", lambda folder: folder == "/S")

    assert full_disk.hint(OSError(errno.ENOSPC, "full"), ["/S", "/R"]) == (
        "make room on the disk of /S: `df -h` and `df -i` show what is left"
    )


def test_a_quota_shows_in_no_numbers_so_both_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(full_disk, "_is_full", lambda _: False)

    assert "disk of /S or /R:" in str(full_disk.hint(OSError(errno.EDQUOT, "quota"), ["/S", "/R"]))


def test_other_errors_are_none_of_its() -> None:
    assert full_disk.hint(PermissionError(errno.EACCES, "no"), ["/"]) is None


def test_a_step_that_meets_it_says_so(tmp_path: Path) -> None:
    places = 'state_dir = "S"\nruntime_dir = "R"\n'
    (tmp_path / "deploy.toml").write_text(f'[zdd]\nproject = "shop"\n{places}[service.web]\nrun = "x {{fd}}"\n')
    project = World(tmp_path).project(load(tmp_path))

    def do(project: Project) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(DeployFailed, match="prepare: No space left on device") as caught:
        pipeline.run([Step("prepare", "prepare the switch", do)], project, lambda _: None)

    assert "make room on the disk of " in str(caught.value.hint)
