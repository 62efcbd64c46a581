from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from zdd.host import trees


def test_folders_however_deep_are_removed_also_where_each_pass_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that is busy with others costs wall-clock time, and nobody adds to the tree meanwhile."""
    times = SimpleNamespace(monotonic=itertools.count(0.0, 100.0).__next__, thread_time=time.thread_time)
    monkeypatch.setattr(trees, "time", times)
    os.makedirs(tmp_path / "tree" / "/".join("d" * 300))

    trees.remove(str(tmp_path / "tree"))

    assert os.listdir(tmp_path) == []
