"""The events of a deploy that somebody else runs are read as they are written."""

from __future__ import annotations

from pathlib import Path

from zdd.events import Doing
from zdd.operate.under_way import EventFile


def line(step: str) -> bytes:
    return f'{{"event":"doing","step":"{step}","text":"{step}"}}\n'.encode()


def steps(file: EventFile) -> list[str]:
    return [event.step for event in file.new() if isinstance(event, Doing)]


def test_each_event_is_read_once_and_an_incomplete_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "deploy-1.jsonl"
    file = EventFile(str(path))

    assert steps(file) == []  # it does not exist yet

    path.write_bytes(line("bäcken") + line("probe")[:20])
    assert steps(file) == ["bäcken"]
    assert steps(file) == []

    with path.open("ab") as deploy:
        deploy.write(line("probe")[20:] + b'{"event":"of a later zdd"}\n' + line("bake"))
    assert steps(file) == ["probe", "bake"]


def test_what_was_read_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deploy-1.jsonl"
    path.write_bytes(line("build"))
    file = EventFile(str(path))
    steps(file)

    path.write_bytes(b"\xff" * len(line("build")) + line("probe"))  # no text: reading it as such would fail

    assert steps(file) == ["probe"]
