from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from zdd import history
from zdd.history import Entry


def entry(deploy: int, outcome: str = "done") -> Entry:
    return Entry(
        deploy=deploy,
        action="deploy",
        outcome=outcome,
        started=1.0,
        seconds=0.5,
        who="anna",
        services=["web"],
        steps=[],
    )


def test_entries_read_back_newest_first(tmp_path: Path) -> None:
    path = str(tmp_path / "history.jsonl")
    for deploy in (1, 2, 3):
        history.append(path, entry(deploy))

    assert list(history.newest_first(path)) == [entry(3), entry(2), entry(1)]


def test_a_torn_last_line_is_passed_over_and_the_next_entry_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    history.append(str(path), entry(1))
    with path.open("a") as file:
        file.write('{"deploy": 2, "act')

    assert list(history.newest_first(str(path))) == [entry(1)]
    history.append(str(path), entry(3))
    assert list(history.newest_first(str(path))) == [entry(3), entry(1)]


def test_an_entry_is_on_disk_when_it_is_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))

    history.append(str(tmp_path / "history.jsonl"), entry(1))

    assert synced == [str(tmp_path / "history.jsonl"), str(tmp_path)]


def test_without_a_file_there_is_no_past(tmp_path: Path) -> None:
    assert list(history.newest_first(str(tmp_path / "none"))) == []


def test_a_label_may_have_any_letters(tmp_path: Path) -> None:
    path = str(tmp_path / "history.jsonl")
    odd = entry(1)
    odd.label = "".join(map(chr, range(1, 0x2100)))
    history.append(path, odd)
    history.append(path, entry(2))

    assert list(history.newest_first(path)) == [entry(2), odd]


@pytest.mark.parametrize(
    "damage",
    [b"\xff", b"[" * 100_000, b"null", b'{"deploy": 1e999}', b"\0" * 100],
    ids=["no text", "nested", "no object", "a huge number", "zeros"],
)
def test_damaged_lines_are_passed_over(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "history.jsonl"
    history.append(str(path), entry(1))
    with path.open("ab") as file:
        file.write(damage + b"\n")
    history.append(str(path), entry(3))

    assert list(history.newest_first(str(path))) == [entry(3), entry(1)]


def test_of_a_long_history_only_the_end_is_read_for_the_last_deploy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, read, real = str(tmp_path / "history.jsonl"), list[int](), os.pread
    lines = [msgspec.json.encode(entry(deploy)) + b"\n" for deploy in range(1, 2001)]
    Path(path).write_bytes(b"".join(lines))

    def pread(fd: int, size: int, at: int) -> bytes:
        read.append(size)
        return real(fd, size, at)

    monkeypatch.setattr(os, "pread", pread)

    assert next(history.newest_first(path)) == entry(2000)
    assert sum(read) < os.path.getsize(path) / 2
    assert [each.deploy for each in history.newest_first(path)] == list(range(2000, 0, -1))


@pytest.mark.parametrize("block", [1, 7, 64])
def test_entries_are_whole_wherever_a_block_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    path = str(tmp_path / "history.jsonl")
    for deploy in (1, 2, 3):
        history.append(path, entry(deploy))
    monkeypatch.setattr(history, "_BLOCK", block)

    assert list(history.newest_first(path)) == [entry(3), entry(2), entry(1)]


def test_outcomes_are_those_of_the_same_entries_and_none_without_a_readable_file(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    for deploy, outcome in ((1, "done"), (2, "failed"), (3, "done")):
        history.append(str(path), entry(deploy, outcome))
    with path.open("a") as file:
        file.write('{"deploy": 4, "outc')

    assert [(each.deploy, each.outcome) for each in history.outcomes(str(path))] == [
        (3, "done"),
        (2, "failed"),
        (1, "done"),
    ]
    assert history.outcomes(str(tmp_path)) == []
