"""What nginx was told is known as long as the deploy that told it, or an earlier one, serves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zdd.nginx.text.last_text import LastText


@pytest.fixture
def last_text(tmp_path: Path) -> LastText:
    return LastText(f"{tmp_path}/told", f"{tmp_path}/current")


def serve(last_text: LastText, table: str) -> None:
    if os.path.lexists(last_text.current):
        os.unlink(last_text.current)
    os.symlink(f"tables/{table}", last_text.current)


def test_another_text_than_what_nginx_was_told_is_noticed(last_text: LastText) -> None:
    last_text.keep(7, "one")
    for table in ("7", "7+", "6"):  # 6: deploy 7 was undone, which told nginx the text of before
        serve(last_text, table)
        assert not last_text.differs("one")
        assert last_text.differs("two")
        assert last_text.differs(None)


def test_on_the_way_from_one_text_to_another_both_are_known(last_text: LastText) -> None:
    last_text.keep(7, "one", "two")
    serve(last_text, "7")

    assert not last_text.differs("one")
    assert not last_text.differs("two")
    assert last_text.differs("three")


def test_what_an_older_zdd_has_told_is_not_known(last_text: LastText) -> None:
    assert not last_text.differs("one")
    last_text.keep(7, "one")
    serve(last_text, "8")
    assert not last_text.differs("two")


def test_after_down_the_text_is_still_what_it_was(last_text: LastText) -> None:
    last_text.keep(7, "one")

    assert last_text.differs("two")
    assert not last_text.differs("one")


def test_where_nothing_can_be_kept_nothing_is_known(last_text: LastText, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    last_text.keep(7, "one")
    monkeypatch.setattr("zdd.host.files.write", full)
    last_text.keep(8, "two")

    assert not last_text.differs("three")
