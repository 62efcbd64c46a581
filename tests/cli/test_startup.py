"""Start-up is fast: unneeded modules are not imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_history_reads_files_and_opens_no_project(tmp_path: Path) -> None:
    text = f'[zdd]\nstate_dir = "{tmp_path}/S"\nruntime_dir = "{tmp_path}/R"\n[service.web]\nrun = "app"\n'
    (tmp_path / "deploy.toml").write_text(text)

    done = run(sys.executable, "-X", "importtime", "-m", "zdd", "history", "-c", f"{tmp_path}/deploy.toml")

    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "has not been deployed yet" in done.stdout
    assert "zdd.paths" in names
    assert not names & {"zdd.project", "zdd.nginx", "zdd.deploy", "zdd.instances.pool"}
