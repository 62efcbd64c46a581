"""Start-up is fast: unneeded modules are not imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from zdd import __version__

from ..system.project import BIN


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True)


@pytest.mark.parametrize("command", [(f"{BIN}/zddeploy",), (f"{BIN}/zdd",), (sys.executable, "-m", "zdd")])
def test_the_program_has_three_names_and_one_version(command: tuple[str, ...]) -> None:
    assert run(*command, "--version").stdout == f"zddeploy {__version__}\n"


def test_the_version_imports_neither_the_schema_nor_any_command() -> None:
    imported = run(sys.executable, "-X", "importtime", "-m", "zdd", "--version").stderr

    names = {line.rpartition("|")[2].strip() for line in imported.splitlines()}
    assert "click" in names
    assert not names & {"msgspec", "subprocess", "rich", "zdd.conf", "zdd.deploy", "zdd.host", "zdd.cli.deploy"}


def test_help_lists_the_commands_and_each_has_its_own() -> None:
    shown = run(f"{BIN}/zddeploy", "--help").stdout

    for command in ("deploy", "status", "down"):
        assert f"\n  {command} " in shown
        assert run(f"{BIN}/zddeploy", command, "--help").stdout.startswith(f"Usage: zddeploy {command} ")
