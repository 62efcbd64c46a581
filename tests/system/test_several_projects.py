"""Two projects on one address: the second one is told who has it, and both ways of the guide are typed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd.host import ipv6

from ..pages import DOCS, Block, Page
from .foreign_nginx import Foreign
from .project import APPS, BIN, PLAIN, Project, configure, service
from .typist import Typist

ONE, TYPED, SHOP, BLOG, SITES = Page(DOCS / "guides/several-projects.md").blocks


@pytest.fixture
def other(project: Project) -> Iterator[Project]:
    """A second project that wants the first one's port."""
    made = Project()
    made.port = project.port
    configure(made, service("blog", **PLAIN))
    made.replace("deploy.toml", 'project = "shop"', 'project = "blog"')
    yield made
    made.end()


def test_the_second_project_is_told_who_has_the_port_and_both_ways_out(project: Project, other: Project) -> None:
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    nginx = (project.runtime / "nginx.pid").read_text().strip()

    for said in (other.zddeploy(code=2).stderr, other.zddeploy("check", code=None).stdout):
        assert f"port {project.port} is taken by the nginx (process {nginx}) of project shop of " in said
        assert f"{project.folder}/deploy.toml" in said
        assert "give the service a `host` in that project, or let both be included (include in [nginx])" in said
    assert not list(other.runtime.glob("instances/*"))
    assert "X-Release: 1" in project.get()

    project.zddeploy("down")
    assert "blog serves deploy 1" in other.zddeploy().stdout


@pytest.mark.skipif(not ipv6.is_there(), reason="this machine has no IPv6")
def test_addresses_that_overlap_are_told_once_and_others_may_be_another_projects(
    project: Project, other: Project
) -> None:
    configure(project, service("web", **PLAIN))
    mine, theirs = f'"127.0.0.1:{project.port}"', f'"127.0.0.1:{other.port}"'
    project.replace("deploy.toml", mine, f'"{project.port}"')
    project.zddeploy()
    text = (other.folder / "deploy.toml").read_text()
    owner = f"is taken by the nginx (process {(project.runtime / 'nginx.pid').read_text().strip()}) of project shop of "
    for address in (str(other.port), f"[::]:{other.port}", f"[::1]:{other.port}", f"127.0.0.1:{other.port}"):
        other.write("deploy.toml", text.replace(theirs, f'"{address}"'))
        assert owner in other.zddeploy(code=2).stderr, address
        assert other.zddeploy("check", code=2).stdout.count(" is taken by ") == 1, address

    project.replace("deploy.toml", f'"{project.port}"', f'"0.0.0.0:{project.port}"')
    project.zddeploy()
    other.write("deploy.toml", text.replace(theirs, f'"[::]:{other.port}"'))
    eventually(lambda: other.zddeploy(code=None).returncode == 0)  # nginx's old workers close IPv6 by and by

    assert "X-Release: 1" in project.get()
    assert "1 errors" not in other.zddeploy("check").stdout


def test_one_project_with_several_hosts_is_typed(project: Project) -> None:
    configure(project)
    for name in ("shop", "blog"):
        for file in ("plain.py", "VERSION"):
            project.write(f"{name}/{file}", (project.folder / file).read_text())
    (project.folder / "deploy.toml").unlink()
    typist = Typist(project, "one")
    toml = ONE.text
    typist.write(ONE._replace(where="deploy.toml", text=toml))
    cd, *commands = TYPED.text.splitlines()
    assert cd == "cd one && zddeploy"

    said = [typist.type(command) for command in ("zddeploy", *commands)]

    assert "one serves deploy 1" in said[0]
    assert said[1] == "blog 1\n"
    assert "one serves deploy 2" in said[2]


def test_two_projects_behind_one_nginx_are_typed(project: Project, foreign: Foreign) -> None:
    foreign.start()
    commands = {"sudo nginx -t": f"{foreign.program} -t -q -c {foreign.main}"}
    commands["sudo systemctl reload nginx"] = f"pkill -HUP -o -F {foreign.pid_file}"
    shop, blog = (folder(project, block, commands) for block in (SHOP, BLOG))
    try:
        for typed in (shop, blog):
            assert "serves deploy 1" in zddeploy(typed)
        sites = SITES.text.replace("8080", str(project.port)).replace("/home/you", str(project.folder))
        project.write("site.conf", sites)
        foreign.reload()

        for number, (typed, name) in enumerate(((shop, "shop"), (blog, "blog")), 2):
            (typed / "VERSION").write_text(str(number))
            said = zddeploy(typed)
            assert f"{name} serves deploy 2" in said
            assert "not proved" not in said
            assert f"X-Release: {number}" in project.get(host=f"{name}.example.org")
        assert "X-Release: 2" in project.get(host="shop.example.org")
    finally:
        for typed in (shop, blog):
            zddeploy(typed, "down")


def folder(project: Project, block: Block, commands: dict[str, str]) -> Path:
    """Write a project of the page, its state in its own folder."""
    name = block.where.partition("/")[0]
    made = project.folder / name
    shutil.copytree(APPS, made)
    (made / "VERSION").write_text("1")
    text = block.text
    for meant, here in commands.items():
        assert meant in text
        text = text.replace(meant, here)
    places = {"project": name, "state_dir": f"{made}/S", "runtime_dir": f"{made}/R"}
    project.write(block.where, project.section(**places) + text)
    return made


def zddeploy(where: Path, *args: str) -> str:
    argv = [str(BIN / "zddeploy"), *args]
    env = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}:/usr/sbin"}
    done = subprocess.run(argv, cwd=where, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
