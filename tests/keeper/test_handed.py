"""A keeper notes that it passes connections on: their lines in nginx's log name another instance."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from zdd.keeper.handed import Handed


def noted(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def made(path: Path | str) -> Handed:
    record, listener = SimpleNamespace(publishes=str(path), instance="web-12"), SimpleNamespace(address="/own")
    return Handed(record, listener)  # type: ignore[arg-type]


def test_what_goes_to_another_instance_is_noted_once_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, keeper = tmp_path / "publishes", made(tmp_path / "publishes")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)

    keeper.note("/own")
    assert noted(path) == []
    before = time.time()
    keeper.note("/other")
    keeper.note("/other")
    now += 0.95
    keeper.note(4000)

    assert [line["handed"] for line in noted(path)] == ["web-12"] * 2
    assert before <= noted(path)[0]["at"] <= time.time()


def test_without_a_file_for_it_nothing_is_noted() -> None:
    made("").note("/other")
