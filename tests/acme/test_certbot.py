"""Which certbot is taken: the one beside Python, if it is new enough and works."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from zdd.acme import certbot
from zdd.errors import UsageError
from zdd.host.command import Commands


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program beside Python."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    return tmp_path / "certbot"


def write(program: Path, printed: str) -> None:
    program.write_text(f"#!/bin/sh\necho '{printed}'\n")
    program.chmod(0o755)


def test_one_that_is_new_enough_is_taken(program: Path) -> None:
    write(program, "certbot 1.12.0")

    assert certbot.find(Commands()) == ([str(program)], (1, 12))


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("certbot 0.40.0", "is certbot 0.40; zdd needs 1.12"),
        ("ImportError: no module named josepy", "does not work: ImportError: no module named josepy"),
    ],
)
def test_one_that_is_too_old_or_broken_is_told_with_what_to_install(program: Path, printed: str, said: str) -> None:
    write(program, printed)

    with pytest.raises(UsageError) as caught:
        certbot.find(Commands())

    assert caught.value.message == f"{program} {said}"
    assert caught.value.hint == "once: pip install 'zddeploy[https]'"
