"""What is said of an app that could not be run, or has ended."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from zdd.instances.health import failure


@pytest.mark.parametrize("program", ["cd", "exec", "FOO=1", "PATH=/opt/bin:/bin"])
def test_what_only_a_shell_understands_is_named_as_such(program: str) -> None:
    hint = failure.why_never_ran("run", errno.ENOENT, program, "/srv/shop", "/bin", None)

    assert hint is not None
    assert hint.startswith("that is for a shell, and none runs it: begin with the program; cwd and env are keys")


def test_a_folder_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()

    hint = failure.why_never_ran("run", errno.EACCES, "./server", str(tmp_path), "/bin", None)

    assert hint == "it is a folder: run must begin with a program"


def test_a_file_is_no_folder_of_the_code() -> None:
    hint = failure.why_never_ran("folder", errno.ENOTDIR, "app", "/srv/shop/app.py", "/bin", None)

    assert hint == "cwd must name a folder of the code, or a whole path"


@pytest.mark.parametrize(
    "said", ["/usr/bin/env: \u2018python3\\r\u2019: No such file", "start.sh: line 2: $'\\r': not found"]
)
def test_line_ends_of_windows_are_named(said: str) -> None:
    hint = failure.advice(said, "fd")

    assert hint is not None
    assert hint.startswith("the script's lines end as on Windows: save it with Unix line ends (dos2unix")
