from __future__ import annotations

import os
from pathlib import Path

import pytest

from zdd.host import files, foreign
from zdd.host.foreign import NotText


@pytest.mark.parametrize("word", ["0", "7", "007", "999999999999999999"])
def test_ascii_digits_are_a_number(word: str) -> None:
    assert foreign.number(word) == foreign.number(word.encode()) == int(word)


@pytest.mark.parametrize("word", ["", "-1", "+1", "1_0", " 1", "1.0", "\xb2", "\u0661", "9" * 19, "9" * 500, "a"])
def test_anything_else_is_none(word: str) -> None:
    assert foreign.number(word) is None


def test_a_number_may_have_a_bound() -> None:
    assert foreign.number("65535", 65535) == 65535
    assert foreign.number("65536", 65535) is None


def test_the_line_of_what_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a\nb\xe9\n")

    with pytest.raises(NotText, match="it is not UTF-8: line 2 has the byte 0xe9") as caught:
        foreign.text(str(path))
    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize("what", ["a FIFO", "an endless device", "a huge file", "a folder"])
def test_only_a_regular_file_of_some_size_is_read(tmp_path: Path, what: str) -> None:
    path = tmp_path / "file"
    match what:
        case "a FIFO":
            os.mkfifo(path)
        case "an endless device":
            path.symlink_to("/dev/zero")
        case "a huge file":
            with path.open("wb") as file:
                file.truncate(1 << 40)
        case _:
            path.mkdir()

    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match=str(path)):
        files.read(str(path))
    assert os.listdir("/proc/self/fd") == before
    assert files.read_number(str(path)) is None


@pytest.mark.parametrize("text", [b"[" * 100_000, b"\xff{}", b"[]", b"9" * 5000, b"", b"{"], ids=range(6))
def test_no_object_is_an_empty_one(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(text)

    assert files.read_object(str(path)) == {}
