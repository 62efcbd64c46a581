from __future__ import annotations

from pathlib import Path

import pytest

from zdd import typed
from zdd.instances.classic import record


def test_no_record_is_read_without_making_a_reader_of_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deploy looks for a record of each instance, and few are classic: the reader takes 0.3 ms to make."""
    monkeypatch.setattr(typed, "decode", lambda *_: pytest.fail("it is made"))

    assert record.read(f"{tmp_path}/web-1.classic") is None


def test_a_damaged_record_is_none(tmp_path: Path) -> None:
    path = tmp_path / "web-1.classic"
    for text in ("", "{", '{"service": 1}'):
        path.write_text(text)

        assert record.read(str(path)) is None
