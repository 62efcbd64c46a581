"""`nginx -V` runs once a program."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from zdd.host.command import Commands
from zdd.nginx.process.about import About
from zdd.nginx.process.binary import Binary


def asked(program: str | Path, about: Path) -> tuple[Binary, list[str]]:
    """Ask a program for its version, as a command would; return it, and what was run for that."""
    ran: list[str] = []
    remembered = About(str(about))
    binary = Binary(str(program), Commands(ran.append), about=remembered)
    assert binary.version
    remembered.keep()
    return binary, ran


def test_a_program_is_asked_once(program: str, tmp_path: Path) -> None:
    first, ran = asked(program, tmp_path / "about")
    assert len(ran) == 1

    again, ran = asked(program, tmp_path / "about")

    assert ran == []
    assert (again.version, again.user, again.prefix) == (first.version, first.user, first.prefix)


def test_another_file_of_the_same_name_is_asked_anew(program: str, tmp_path: Path) -> None:
    copy = tmp_path / "nginx"
    shutil.copy2(program, copy)
    asked(copy, tmp_path / "about")
    os.rename(shutil.copy2(program, tmp_path / "newer"), copy)  # of the same size and time

    assert len(asked(copy, tmp_path / "about")[1]) == 1
    assert asked(copy, tmp_path / "about")[1] == []


def test_a_file_that_was_overwritten_is_asked_anew(program: str, tmp_path: Path) -> None:
    copy = tmp_path / "nginx"
    shutil.copy2(program, copy)
    asked(copy, tmp_path / "about")
    before = os.stat(copy)
    shutil.copyfile(program, copy)
    os.utime(copy, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert len(asked(copy, tmp_path / "about")[1]) == 1


def test_a_script_may_run_any_program_and_is_always_asked(program: str, tmp_path: Path) -> None:
    script = tmp_path / "nginx"
    script.write_text(f'#!/bin/sh\nexec {program} "$@"\n')
    script.chmod(0o755)

    assert [len(asked(script, tmp_path / "about")[1]) for _ in range(2)] == [1, 1]


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"said": 1}', '{"file": null, "said": "nginx/9.9.9"}', "\0" * 99])
def test_what_is_no_memory_is_none(program: str, tmp_path: Path, text: str) -> None:
    (tmp_path / "about").write_text(text)

    assert len(asked(program, tmp_path / "about")[1]) == 1


def test_a_memory_that_cannot_be_kept_is_no_failure(program: str, tmp_path: Path) -> None:
    assert [len(asked(program, tmp_path / "no such folder/about")[1]) for _ in range(2)] == [1, 1]
