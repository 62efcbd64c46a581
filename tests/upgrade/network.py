"""A network namespace in which two versions of zdd deploy a project."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.system.project import BIN, Project

from .programs import NEW, Program


class Network:
    """A network of its own, with these addresses beside 127.0.0.1."""

    def __init__(self, project: Project, programs: Mapping[str, Program], *addresses: str) -> None:
        self.project, self.programs = project, programs
        added = "".join(f" && ip address add {each}/{128 if ':' in each else 32} dev lo" for each in addresses)
        command = ["unshare", "--net", "sh", "-ec", f"ip link set lo up{added} && echo && exec cat"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.holder = subprocess.Popen(command, **pipes)  # type: ignore[call-overload]
        assert self.holder.stdout.readline() == b"\n"

    def run(self, *argv: str | Path) -> subprocess.CompletedProcess[str]:
        inside = ["nsenter", "-t", str(self.holder.pid), "-n", *argv]
        env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"}
        return subprocess.run(
            inside, cwd=self.project.folder, env=env, capture_output=True, text=True, timeout=120, check=False
        )

    def start(self, *argv: str) -> subprocess.Popen[bytes]:
        """Run a program beside the test; it has printed its first line."""
        inside = ["nsenter", "-t", str(self.holder.pid), "-n", *argv]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        program: subprocess.Popen[bytes] = subprocess.Popen(inside, **pipes)  # type: ignore[call-overload]
        assert program.stdout
        program.stdout.readline()
        return program

    def zddeploy(self, program: str, command: str, code: int = 0) -> str:
        said = self.run(self.programs[program].path, *command.split())
        assert said.returncode == code, said.stdout + said.stderr
        return said.stdout + said.stderr

    def end(self) -> None:
        self.run(self.programs[NEW].path, "down")
        self.holder.kill()
        self.holder.communicate()
