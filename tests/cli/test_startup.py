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


# All that is imported before a deploy starts an app: here, the modules that the command imports when it is called, too.
BEFORE_THE_APP = "import zdd.cli.main, zdd.cli.deploy, zdd.conf.toml, zdd.nginx.managed, zdd.nginx.text.own"
OF_ZDD = "[(name, vars(module)) for name, module in sys.modules.items() if name.partition('.')[0] == 'zdd']"


def test_no_named_tuple_is_made_before_an_app_starts() -> None:
    """Its class takes five times as long to make as a Struct. The modules of zdd.host know no Struct."""
    listing = f"""
import sys
{BEFORE_THE_APP}
for name, names in {OF_ZDD}:
    for value in names.values():
        if isinstance(value, type) and issubclass(value, tuple) and value.__module__ == name:
            print(f"{{name}}.{{value.__name__}}")
"""
    made = run(sys.executable, "-c", listing).stdout.split()

    assert [name for name in made if not name.startswith("zdd.host.")] == []


def test_no_pattern_is_compiled_before_an_app_starts_that_only_mistakes_need() -> None:
    listing = f"""
import re, sys
{BEFORE_THE_APP}
print(*(name for name, names in {OF_ZDD} if any(isinstance(value, re.Pattern) for value in names.values())))
"""
    compiled = run(sys.executable, "-c", listing).stdout.split()

    needed = {"zdd.instances.drivers", "zdd.instances.name", "zdd.nginx.process.title", "zdd.visible"}
    assert set(compiled) <= needed


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
