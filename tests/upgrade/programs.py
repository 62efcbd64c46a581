"""The two programs: the old one from its wheel, the new one from the tree under test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.system.project import BIN, Project

WHEEL = Path(__file__).with_name("zddeploy-0.1.0-py3-none-any.whl")

OLD, NEW = "old", "new"


class Said(NamedTuple):
    """What a command has printed, and how it ended."""

    whose: str
    code: int
    out: str
    err: str

    def __str__(self) -> str:
        return f"{self.whose}: exit {self.code}; it printed\n{self.out}{self.err}"


class Program:
    """One of the two; both see the same apps on the same PATH, so only zddeploy itself differs."""

    def __init__(self, name: str, path: Path, env: Mapping[str, str]) -> None:
        self.name = name
        self.path = path
        self.env = {**env, "PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"}

    @property
    def python(self) -> str:
        """The interpreter that runs it."""
        return str(self.path.with_name("python"))

    def run(self, project: Project, *args: str) -> Said:
        """Run a command in the project's folder, to its end."""
        result = subprocess.run(
            [self.path, *args],
            cwd=project.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = Said(f"the {self.name} program's `{' '.join(('zddeploy', *args))}`", *_three(result))
        assert "Traceback" not in said.out + said.err, said
        return said

    def status(self, project: Project) -> tuple[Said, dict[str, Any]]:
        """Ask for the status; returns the command's end, and what it told."""
        said = self.run(project, "status", "--json")
        assert said.out, said
        return said, json.loads(said.out.splitlines()[-1])

    def start(self, project: Project, *args: str, below: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Run a command beside the test, `below` another one; its output is in the file `said` of the project's."""
        with (project.folder / "said").open("wb") as said:
            streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": said, "stderr": subprocess.STDOUT}
            return subprocess.Popen([*below, self.path, *args], cwd=project.folder, env=self.env, **streams)


def install_old(folder: Path) -> Program:
    """Install the wheel into an environment of its own; what it needs it has from the one that runs the tests."""
    venv.create(folder, symlinks=True)
    python = folder / "bin/python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-index", "--no-deps"]
    subprocess.run([*command, "--disable-pip-version-check", str(WHEEL)], check=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    (site / "what-it-needs.pth").write_text(sysconfig.get_path("purelib") + "\n")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # that leads to the new one
    where = subprocess.run(
        [python, "-c", "import zdd; print(zdd.__file__)"], env=env, check=True, capture_output=True, text=True
    )
    assert where.stdout.strip() == str(site / "zdd/__init__.py")
    return Program(OLD, folder / "bin/zddeploy", env)


def new_one() -> Program:
    """Return the program of the tree under test."""
    return Program(NEW, BIN / "zddeploy", os.environ)


def _three(result: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return result.returncode, result.stdout, result.stderr
