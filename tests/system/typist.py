"""Somebody who does what a page says, in a fresh folder: writes its files, types its commands, reads the screen."""

from __future__ import annotations

import getpass
import os
import re
import subprocess
import sys

from ..pages import Block
from .project import BIN, Project

_VARIES = {  # what is another at each time or on each machine
    r"\d+\.\d+ s\b": "0.0 s",
    r"\bpid \d+": "pid 1",
    r"\bfor \d+ s": "for 0 s",
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
    r" +": " ",
}
_LONG = re.compile(r"(?m)(?:^  \| .*\n){3,}?((?:^  \| .*\n){3})(?!  \| )")


class Typist:
    """Types in the folder `hello` of a project; on the screen that folder is /home/you/hello, as on the page."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.folder = project.folder / "hello"
        self.folder.mkdir()
        self.seen = {
            str(self.folder): "/home/you/hello",
            str(project.state): "/home/you/.local/state/zdd/hello",
            str(BIN.parent): "/home/you/try-zdd",
            os.path.dirname(os.__file__): f"/usr/lib/python3.{sys.version_info.minor}",
            str(project.port): "8080",
        }

    def write(self, block: Block) -> None:
        """Write a file; all that a deploy makes stays in the project's folder."""
        section = self.project.section(project="hello") if block.where == "deploy.toml" else ""
        (self.folder / block.where).write_text(section + block.text.replace("8080", str(self.project.port)))

    def type(self, command: str) -> str:
        """Return what is then on the screen of an ordinary user, of what an app printed the end."""
        shown = subprocess.run(
            ["sh", "-c", command.replace("8080", str(self.project.port))],
            cwd=self.folder,
            env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        ).stdout
        for here, there in self.seen.items():
            shown = shown.replace(here, there)
        shown = re.sub(rf"(?m) {re.escape(user := getpass.getuser())}(?=  |$)", f" {'you':<{len(user)}}", shown)
        shown = re.sub(r"(?m)^.*(running as root|: not healthy after 5 s, and may).*\n| +$", "", shown)
        return _LONG.sub(r"  | ...\n\1", shown)


def plain(shown: str) -> str:
    """Return the screen without what varies."""
    for pattern, word in _VARIES.items():
        shown = re.sub(pattern, word, shown)
    return shown
