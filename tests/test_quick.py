"""`./dev test --quick` starts no server: it leaves out what does, and refuses what would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .quick import SERVERS, is_server

ROOT = Path(__file__).parent.parent
STARTS = """
import os, subprocess, pytest
def test_by_popen(): subprocess.Popen(["nginx", "-v"])
def test_by_run(): subprocess.run(["/tmp/bin/zddeploy", "restart"])
def test_by_spawn(): os.posix_spawn("/bin/echo", ["python", "-I", "/x/zdd/keeper/__main__.py"], {})
def test_harmless(): subprocess.run(["zddeploy", "--version"], executable="/bin/echo")
"""


def run(*args: str | Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_it_collects_nothing_that_starts_servers() -> None:
    collected = run("--quick", "--collect-only", "-q").stdout.splitlines()
    tests = [line for line in collected if "::" in line]
    folders = {line.split("::")[0].split("/")[1] for line in tests if "[fake" not in line}

    assert {"conf", "deploy", "host", "keeper", "release"} <= folders
    assert [folder for folder in folders if "*" in SERVERS.get(folder, ())] == []
    assert [
        line for line in tests if line.startswith("tests/keeper/test_lease.py")
    ] == []  # by the fixture of a real keeper
    assert len([line for line in tests if line.startswith("tests/deploy/test_walk.py")]) > 80


def test_every_folder_that_starts_servers_is_there() -> None:
    assert [name for name in SERVERS if not (ROOT / "tests" / name).is_dir()] == []


def test_a_test_that_starts_one_all_the_same_fails(tmp_path: Path) -> None:
    (tmp_path / "test_starts.py").write_text(STARTS)

    plugin = ("-p", "tests.quick", "--quick", "-c", os.devnull, "--rootdir", tmp_path)
    result = run(*plugin, tmp_path / "test_starts.py")

    assert result.returncode == 1, result.stdout
    assert "3 failed, 1 passed" in result.stdout
    assert "['nginx', '-v'] starts a server" in result.stdout


@pytest.mark.parametrize(
    ("command", "starts"),
    [
        ("/usr/sbin/nginx -t", True),
        ("/v/bin/python /v/bin/zddeploy", True),
        ("/v/bin/zddeploy deploy --detach", True),
        ("python -I -S /src/zdd/keeper/__main__.py R/control/web-1.json", True),
        ("zddeploy deploy --help", False),
        ("git clone nginx.git /tmp/nginx", False),
        ("sleep 60", False),
    ],
)
def test_a_server_is_known_by_its_command(command: str, starts: bool) -> None:
    assert is_server(command.split()) == starts
