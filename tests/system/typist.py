"""Somebody who does what a page says, in a fresh folder: writes its files, types its commands, reads the screen."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
import sys
import time

from ..pages import Block
from .code import IDENTITY
from .project import BIN, Project

GUIDES = ("django", "fastapi", "node", "static-sites", "jvm", "rails")  # followed from the first line to the last
_VARIES = {  # what is another at each time or on each machine
    r"\d+\.\d+ s\b": "0.0 s",
    r"\bpid \d+": "pid 1",
    r"\bup \d+ s": "up 0 s",
    r"\d+ MB": "1 MB",
    r"\d+ connections?": "0 connections",
    r"\bnginx [\d.]+": "nginx 1",
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d": "today",
    r"\d{8}-\d{6}": "now",
    r"[/\w.-]+/python3[.\d]*/": "python3/",
    r"(?m)^  (built|baked) .*\n": "",  # told of when they took long
    r"(?m)^  web-\d+ +(stopped|draining.*)\n": "",  # when one types so quickly that it has not gone yet
    r"(drained) in [^:\n]*(: .*)?": r"\1",
    r"[\d,]+ requests": "0 requests",
    r"[\d.]+ ms": "0 ms",
    r"release [0-9a-f]{12}": "release 1",
    r" +": " ",
}
_LONG = re.compile(r"(?m)(?:^  \| .*\n){3,}?((?:^  \| .*\n){3})(?!  \| )")


class Typist:
    """Types in a folder of the project; on the screen that folder is one in the home of whom the page is for."""

    def __init__(self, project: Project, name: str = "hello", user: str = "you") -> None:
        self.project = project
        self.name = name
        self.home = f"/home/{user}"
        self.folder = project.folder / name
        self.folder.mkdir()
        self.seen = {
            str(project.state): f"{self.home}/.local/state/zdd/{name}",
            str(project.folder): self.home,
            str(BIN.parent): "/home/you/try-zdd",
            os.path.dirname(os.__file__): f"/usr/lib/python3.{sys.version_info.minor}",
            str(project.port): "8080",
        }

    def follow(self, block: Block) -> None:
        """Do what it says: write the file, or type the commands. A dialogue must be as it is on the page."""
        if block.where:
            self.write(block)
        elif block.language == "sh":
            run = self._run(f"set -e\n{block.text}")
            assert run.returncode == 0, run.stdout
        elif block.language == "console":
            for command, expected in block.dialogue():
                shown = self.type(command)
                patience = time.monotonic() + (30 if command.startswith("curl") else 0)
                while plain(shown) != plain(expected) and time.monotonic() < patience:  # the second of two versions
                    shown = self.type(command)
                assert plain(shown) == plain(expected), "`python -m tools.tutorial` writes the page anew"

    def write(self, block: Block) -> None:
        """Write a file, or add to it; all that a deploy makes stays in the project's folder."""
        text, (name, _, how) = self._here(block.text), block.where.partition(", ")
        if name == "deploy.toml":
            text = self.project.section(project=self.name) + text.removeprefix("[zdd]\n")
        path = self.folder / self._here(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text((path.read_text() if how == "at its end" else "") + text)

    def type(self, command: str) -> str:
        """Return what is then on the screen of an ordinary user, of what an app printed the end."""
        shown = self._run(command).stdout
        for here, there in self.seen.items():
            shown = shown.replace(here, there)
        shown = re.sub(rf"(?m) {re.escape(user := getpass.getuser())}(?=  |$)", f" {'you':<{len(user)}}", shown)
        shown = re.sub(r"(?m)^.*(running as root|: not healthy after 5 s, and may).*\n| +$", "", shown)
        return _LONG.sub(r"  | ...\n\1", shown)

    def _run(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", self._here(script)],
            cwd=self.folder,
            env=os.environ | IDENTITY | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )

    def _here(self, text: str) -> str:
        return text.replace("8080", str(self.project.port)).replace(self.home, str(self.project.folder))


def plain(shown: str) -> str:
    """Return the screen without what varies."""
    for pattern, word in _VARIES.items():
        shown = re.sub(pattern, word, shown)
    return shown
