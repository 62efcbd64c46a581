"""What nginx was told is known as long as the deploy that told it, or an earlier one, serves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zdd.nginx.text.told import Told


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(f"{tmp_path}/told", f"{tmp_path}/current")


def serve(told: Told, table: str) -> None:
    if os.path.lexists(told.current):
        os.unlink(told.current)
    os.symlink(f"tables/{table}", told.current)


def test_another_text_than_what_nginx_was_told_is_noticed(told: Told) -> None:
    told.keep(7, "one")
    for table in ("7", "7+", "6"):  # 6: deploy 7 was undone, which told nginx the text of before
        serve(told, table)
        assert not told.differs("one")
        assert told.differs("two")
        assert told.differs(None)


def test_on_the_way_from_one_text_to_another_both_are_known(told: Told) -> None:
    told.keep(7, "one", "two")
    serve(told, "7")

    assert not told.differs("one")
    assert not told.differs("two")
    assert told.differs("three")


def test_what_an_older_zdd_has_told_is_not_known(told: Told) -> None:
    assert not told.differs("one")
    told.keep(7, "one")
    serve(told, "8")
    assert not told.differs("two")


def test_after_down_the_text_is_still_what_it_was(told: Told) -> None:
    told.keep(7, "one")

    assert told.differs("two")
    assert not told.differs("one")


def test_where_nothing_can_be_kept_nothing_is_known(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    told.keep(7, "one")
    monkeypatch.setattr("zdd.host.files.write", full)
    told.keep(8, "two")

    assert not told.differs("three")
