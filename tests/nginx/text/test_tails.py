"""Which texts count when pooled connections may still lead to old instances."""

from __future__ import annotations

from pathlib import Path

import pytest

from zdd.host.process import Process
from zdd.nginx.text.tails import Tails

OURS = "unix:/run/current/"
VERSION = (1, 22, 1)
OLD, NEW = Process(10, 1), Process(20, 2)


def text(seconds: int | None) -> str:
    """A text whose pool has bounds that add up to so much."""
    bounds = "" if seconds is None else f"keepalive_time {seconds - 1}s; keepalive_timeout 1s;"
    return f"http {{ upstream web {{ server {OURS}web/00; keepalive 64; {bounds} }} }}"


@pytest.fixture
def tails(tmp_path: Path) -> Tails:
    return Tails(f"{tmp_path}/tails", (OURS,))


def test_a_text_that_a_worker_still_runs_counts_however_old_it_is(
    tails: Tails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Process, "alive", lambda process: True)
    tails.replace(text(2), VERSION, [OLD])
    tails.replace(text(1), VERSION, [NEW])
    again = Tails(tails.path, tails.own)

    assert again.of([text(4)], VERSION, [OLD, NEW]) == [4, 2, 1]
    assert again.of([text(4)], VERSION, [NEW]) == [4, 1]
    assert again.of([text(4)], VERSION, [Process(30, 3)]) == [4]


def test_all_that_are_remembered_count_where_no_worker_can_be_seen(tails: Tails) -> None:
    tails.replace(text(None), VERSION, [])
    tails.replace(text(2), VERSION, [])

    assert tails.of([text(4)], VERSION, []) == [4, None, 2]


def test_those_of_workers_that_have_ended_are_forgotten(tails: Tails) -> None:
    for seconds in (1, 2, 3):
        tails.replace(text(seconds), VERSION, [OLD])

    assert tails.of([], VERSION, []) == [3]


@pytest.mark.parametrize("damage", ["", "[]", '{"former": 1}', '{"former": [1, [1], [2, 3], [null, [[1, "x"]]]]}'])
def test_a_damaged_file_is_as_none(tails: Tails, damage: str) -> None:
    Path(tails.path).write_text(damage)

    assert [tail for tail in tails.of([text(1)], VERSION, [NEW]) if tail is not None] == [1]
