"""A guide in docs/guides, as what there is to type; and the desk of somebody who types it."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from ..pages import DOCS, Block, Page
from .host import ADDRESS, HERE, LAB, ROOT, Host, Result, run

NAME = "shop.example.org"
SSH_CONFIG = f"""
Host {NAME}
HostName {ADDRESS}
Host *
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
LogLevel ERROR
"""
CURL_CONFIG = f"""
silent
fail
insecure
max-time = 10
resolve = {NAME}:443:{ADDRESS}
resolve = {NAME}:80:{ADDRESS}
"""


class Guide(Page):
    """One of docs/guides; its blocks are those that are to be done."""

    def __init__(self, name: str) -> None:
        super().__init__(DOCS / f"guides/{name}.md")
        self.blocks = [block for block in self.blocks if block.is_to_do]


class Desk:
    """A machine beside the host: git, ssh and curl there find it by its name, and believe its certificate."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.folder = folder
        self.done: list[Block] = []
        (folder / "zdd").symlink_to(ROOT)
        (folder / "ssh_config").write_text(SSH_CONFIG)
        (folder / ".curlrc").write_text(CURL_CONFIG)
        for tool in ("ssh", "scp"):
            path = folder / "bin" / tool
            path.parent.mkdir(exist_ok=True)
            path.write_text(f'#!/bin/sh\nexec /usr/bin/{tool} -F {folder}/ssh_config -i {LAB}/id "$@"\n')
            path.chmod(0o755)
        (folder / "shop").mkdir()
        self.run("git init --quiet --initial-branch main", "shop")

    def follow(self, guide: Guide, section: str, code: int | None = 0) -> str:
        """Do what a section says; returns what the last block of it has shown."""
        return [self.do(block, code) for block in guide.section(section)][-1]

    def do(self, block: Block, code: int | None = 0) -> str:
        """Do what a block says: write the file, or type the commands; returns what is on the screen."""
        where, text = block.where, block.text
        self.done.append(block)
        if where.startswith("/"):
            self.host.write(where, text, "deploy" if where.startswith("/home/deploy/") else "root")
        elif block.is_file:
            self.write(where, text)
        elif where.startswith("you"):
            return self.run(text, "shop" if where == "you, in shop" else ".", code).stdout
        else:
            login = where.partition(",")[0].replace("@shop", f"@{NAME}")
            return self.run(f"ssh {login} {shlex.quote(f'bash -lec {shlex.quote(text)}')}", code=code).stdout
        return ""

    def write(self, where: str, text: str) -> None:
        """Write a file of the repository, and commit it."""
        path = self.folder / where
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.run(f"git add . && git commit --quiet --message {shlex.quote(where)}", "shop")

    def near(self, *argv: str) -> str:
        return run([str(HERE / "hosts.sh"), "near", *argv]).stdout

    def near_with(self, text: str, *argv: str) -> str:
        """Run a command beside the host, with this text as its input."""
        return run([str(HERE / "hosts.sh"), "near", *argv], text=text).stdout

    def run(self, script: str, folder: str = ".", code: int | None = 0) -> Result:
        return run(self._argv(script, folder), code)

    def curl(self, path: str, *options: str, scheme: str = "https", code: int | None = 0) -> str:
        return self.run(f"curl {shlex.join(options)} '{scheme}://{NAME}{path}'", code=code).stdout

    def start(self, script: str) -> subprocess.Popen[bytes]:
        """Type a command, and look elsewhere."""
        return subprocess.Popen(self._argv(script, "."), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def _argv(self, script: str, folder: str) -> list[str]:
        who = [f"GIT_{role}_{what}=you@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
        env = [f"PATH={self.folder}/bin:{os.environ['PATH']}", f"CURL_HOME={self.folder}", *who]
        return [str(HERE / "hosts.sh"), "near", "env", "-C", str(self.folder / folder), *env, "bash", "-ec", script]
