"""The script of the guide for several hosts, with an ssh that leads to folders of this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..pages import DOCS, Page
from .code import Code
from .project import BIN, PLAIN, Project, service

SSH = """\
#!/bin/sh
[ "$1" = -o ] && shift 2
host=$1; shift
cd "HOSTS/${host#*@}" && exec sh -c "$*"
"""
SCRIPT, CALL = Page(DOCS / "guides/several-hosts.md").blocks
VERSION, ONE, TWO = CALL.text.split()[1:]


class Hosts:
    """Two of them, each a folder with a project in `shop`, and a desk with the script and that ssh."""

    def __init__(self, desk: Path, projects: list[Project]) -> None:
        self.desk, self.projects = desk, projects
        self.code = Code(projects[0])
        self._script(SCRIPT.where, SCRIPT.text)
        self._script("ssh", SSH.replace("HOSTS", str(desk)))
        for login, project in zip((ONE, TWO), projects, strict=True):
            (desk / login.partition("@")[2]).symlink_to(project.folder)
            self.configure(project)

    def configure(self, project: Project, before_start: str = "true") -> None:
        zdd = project.section(before_start=before_start)
        rest = f'[nginx]\nlisten = "127.0.0.1:{project.port}"\n[release]\nsource = "{self.code.folder}"\n'
        project.write("shop/deploy.toml", zdd + rest + service("web", **PLAIN, health_path="/"))

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        env = os.environ | {"PATH": f"{self.desk}:{BIN}:{os.environ['PATH']}:/usr/sbin"}
        return subprocess.run(argv, cwd=self.desk, env=env, capture_output=True, text=True, timeout=120, check=False)

    def served(self) -> list[str]:
        """The version on each host."""
        answers = [project.get() for project in self.projects]
        return [answer.partition("X-Release: ")[2].split()[0] for answer in answers]

    def _script(self, name: str, text: str) -> None:
        path = self.desk / name
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def hosts(tmp_path: Path, project: Project) -> Iterator[Hosts]:
    other = Project()
    made = Hosts(tmp_path, [project, other])
    yield made
    for login in (ONE, TWO):
        made.run("ssh", login, "zddeploy", "-c", "shop/deploy.toml", "down")
    other.end()


def test_each_host_gets_the_version_and_the_first_failure_stops_it(hosts: Hosts) -> None:
    hosts.code.tag(VERSION)
    hosts.code.commit("not yet")

    done = hosts.run("sh", "-c", CALL.text)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f": {ONE} {TWO}\n")
    assert hosts.served() == ["1", "1"]

    hosts.configure(hosts.projects[1], before_start="exit 7")
    failed = hosts.run("./deploy-all", hosts.code.commit("second"), ONE, TWO)

    assert failed.returncode == 1
    assert f"{TWO} FAILED (exit code 1); on the new version: {ONE}\n" in failed.stderr
    assert hosts.projects[1].get().count("X-Release: 1") == 1

    stopped = hosts.run("./deploy-all", hosts.code.commit("third"), TWO, ONE)

    assert stopped.returncode == 1
    assert "on the new version: none\n" in stopped.stderr
    assert ONE not in stopped.stdout
