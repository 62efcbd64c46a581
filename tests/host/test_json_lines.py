"""Lines that must not be missing unnoticed, on a disk that may be full."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from zdd.host import json_lines, rotation


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in json_lines.read(str(path))]


def full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_lines_are_read_with_those_of_the_older_part(tmp_path: Path) -> None:
    path = tmp_path / "lines"

    assert read(path) == []
    assert json_lines.add(str(path), lambda: {"a": 1})
    path.rename(rotation.older(str(path)))
    assert json_lines.add(str(path), lambda: {"b": 2})

    assert read(path) == [{"a": 1}, {"b": 2}]
    assert path.stat().st_mode & 0o777 == 0o640


def test_what_could_not_be_written_is_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    json_lines.add(str(path), lambda: {"a": 1})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", full)
        assert not json_lines.add(str(path), lambda: {"b": 2})
        assert not json_lines.add(str(path), lambda: {"b": 3})

    assert read(path) == [{"a": 1}, {"gap": 0}]
    json_lines.add(str(path), lambda: {"c": 3})
    assert [list(line) for line in read(path)] == [["a"], ["gap"], ["c"]]


def test_a_line_that_cannot_be_made_is_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    json_lines.add(str(path), lambda: {"a": 1})

    assert not json_lines.add(str(path), lambda: {"a": 1 / 0})

    assert read(path) == [{"a": 1}, {"gap": 0}]


def test_a_half_written_line_is_ended_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text('{"a": ')

    json_lines.add(str(path), lambda: {"b": 2})

    assert path.read_text() == '{"a": \n{"b": 2}\n'


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("precious")
    (tmp_path / "lines").symlink_to("theirs")

    assert not json_lines.add(str(tmp_path / "lines"), lambda: {"a": 1})

    assert (tmp_path / "theirs").read_text() == "precious"
    assert read(tmp_path / "lines") == []
