from __future__ import annotations

import os
from pathlib import Path

import pytest

from zdd.host import files


def test_a_written_file_has_the_text_and_the_mode_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "file"
    before = os.umask(0o077)
    try:
        files.write(str(path), "text", mode=0o644)
    finally:
        os.umask(before)

    assert path.read_text() == "text"
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_failing_rename_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*_: str) -> None:
        raise OSError("boom")

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OSError, match="boom"):
        files.write(str(path), "new")
    with pytest.raises(OSError, match="boom"):
        files.point(str(path), "elsewhere")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_replaced_without_a_moment_at_which_it_leads_nowhere(tmp_path: Path) -> None:
    link = tmp_path / "current"
    files.point(str(link), "tables/1")
    before = link.lstat().st_ino

    files.point(str(link), "tables/2")

    assert os.readlink(link) == "tables/2"
    assert link.lstat().st_ino != before  # renamed over, not removed and made


@pytest.mark.parametrize(
    ("text", "number"), [("17\n", 17), ("17", 17), ("", None), ("x", None), ("-4", None), ("0", None)]
)
def test_a_pid_file_is_a_positive_number_or_nothing(tmp_path: Path, text: str, number: int | None) -> None:
    path = tmp_path / "pid"
    path.write_text(text)

    assert files.read_number(str(path)) == number


def test_a_missing_file_reads_as_nothing(tmp_path: Path) -> None:
    assert files.read(str(tmp_path / "none")) is None
    assert files.read_number(str(tmp_path / "none")) is None
    assert files.tail(str(tmp_path / "none"), 3) == []
    assert files.size(str(tmp_path / "none")) == 0


def test_the_tail_starts_at_the_offset(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    since = files.size(str(path))
    with path.open("a") as log:
        log.write("one\ntwo\nthree\n")

    assert files.tail(str(path), 2, since) == ["two", "three"]
    assert files.tail(str(path), 9, since) == ["one", "two", "three"]


def test_a_folder_that_a_umask_closed_is_opened_again(tmp_path: Path) -> None:
    for mode, expected in ((0o700, 0o755), (0o2750, 0o2755), (0o775, 0o775), (0o755, 0o755)):
        (tmp_path / "folder").mkdir(exist_ok=True)
        (tmp_path / "folder").chmod(mode)
        files.open_folder(str(tmp_path / "folder"), 0o755)
        assert (tmp_path / "folder").stat().st_mode & 0o7777 == expected


def test_folders_have_their_mode_whatever_the_umask_says(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        files.make_folder(str(tmp_path / "tables/1/web"), 0o711)
        files.make_folder(str(tmp_path / "tables/1/web"), 0o711)
    finally:
        os.umask(old)

    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("tables", "tables/1/web")] == [0o711, 0o711]
