"""The jobs of the guide to CI, word for word, after what their runners do: visitors get the version that was pushed."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import eventually

from ..pages import DOCS, Page
from .code import Code
from .project import BIN, PLAIN, Project, service
from .runner import GitHub, GitLab, Runner, run

GUIDE = Page(DOCS / "guides/ci-over-ssh.md")
RUNNERS = {"github": (GitHub, 1), "gitlab": (GitLab, 20)}  # and how much they fetch when nobody says

# Instead of another machine: what is run there runs here, in the home of the one who deploys.
SSH = """#!/bin/sh
while [ "${1#deploy@shop.example.org}" = "$1" ]; do shift; done
shift
cd "$HOME" && exec sh -c "$*"
"""


def lines_of_job(section: str, which: str) -> str:
    """The shell lines of a job of the guide, without what is to do for the key, which another test needs a host for."""
    texts = [block.text for block in GUIDE.blocks if block.section == section and block.language == "yaml"]
    text = next(text for text in texts if ("actions/checkout" in text) == (which == "github"))
    if which == "gitlab":
        return "\n".join(re.findall(r"^    - (.*)", text.split("  script:\n")[1], re.MULTILINE))
    if found := re.search(r"name: Deploy\n +run: \|\n((?: {10}.*\n)+)", text):
        return found[1]
    return str(re.findall(r"^ +- run: (.*)", text, re.MULTILINE)[-1])


class Shop:
    """A project, the repository that developers push to, and the home of the user who deploys."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.code = Code(project)
        self.hub = project.folder / "hub.git"
        git("init", "--bare", "--initial-branch", "main", str(self.hub))
        (project.folder / "bin").mkdir()
        ssh = project.write("bin/ssh", SSH)
        ssh.chmod(0o755)
        self.path = f"{project.folder}/bin:{BIN}:/usr/sbin:/usr/bin:/bin"

    def configure(self, source: Path) -> None:
        """What deploy.toml is on the server."""
        listen = f'[nginx]\nlisten = "127.0.0.1:{self.project.port}"\n'
        section = f'[release]\nsource = "{source}"\n'
        web = service("web", **PLAIN, health_path="/")
        self.project.write("shop/deploy.toml", self.project.section() + listen + section + web)

    def push(self, *versions: int) -> str:
        """Commit these versions and push them at once; returns the last commit."""
        for version in versions:
            self.code.commit(version)
        git("-C", str(self.code.folder), "push", "--force", str(self.hub), "main")
        return git("--git-dir", str(self.hub), "rev-parse", "main")

    def run(self, job: str, runner: Runner, commit: str) -> subprocess.CompletedProcess[str]:
        """Have a runner do a job for a commit."""
        runner.check_out(commit)
        return run(job, runner.folder, self.project.folder, self.path, GITHUB_SHA=commit, CI_COMMIT_SHA=commit)

    def serves(self, version: int) -> None:
        eventually(lambda: f"X-Release: {version}\r\n" in self.project.get())

    def release(self) -> object:
        return next(iter(self.project.events("-c", "shop/deploy.toml", "history", "-n", "1")))["release"]


def git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def shop(project: Project) -> Iterator[Shop]:
    yield Shop(project)
    project.zddeploy("-c", "shop/deploy.toml", "down", code=None)


@pytest.mark.parametrize("which", RUNNERS)
def test_a_runner_on_the_server_deploys_what_was_pushed_however_it_is_fetched(shop: Shop, which: str) -> None:
    kind, depth = RUNNERS[which]
    folder = shop.project.folder / "_work/shop/shop"
    shop.configure(folder)
    job = lines_of_job("A runner on the server", which)
    runner = kind(folder, shop.hub, depth)
    pushes: list[tuple[int, tuple[int, ...]]] = [
        (0, (2,)),  # somebody has needed the history, in this very folder
        (depth, (3,)),
        (depth, tuple(range(4, 30))),  # more commits at once than are fetched
        (0, (30,)),
        (depth, (31, 32)),
    ]

    for runner.depth, versions in pushes:
        commit = shop.push(*versions)
        done = shop.run(job, runner, commit)
        assert done.returncode == 0, done.stdout + done.stderr
        assert shop.release() == commit[:12]
        shop.serves(versions[-1])

    git("-C", str(shop.code.folder), "reset", "--hard", "HEAD~2")
    commit = shop.push(40)  # by force
    assert shop.run(job, runner, commit).returncode == 0
    shop.serves(40)
    refused = shop.run(f"{job} --rev HEAD~{depth}", runner, commit)
    assert refused.returncode == 2
    assert "`fetch-depth: 0`" in refused.stderr
    shop.serves(40)


@pytest.mark.parametrize("which", RUNNERS)
def test_a_job_that_pushes_deploys_what_was_pushed_and_with_too_little_history_stops_at_the_push(
    shop: Shop, which: str
) -> None:
    kind, depth = RUNNERS[which]
    server = shop.project.folder / "shop.git"
    shop.configure(server)
    git("init", "--bare", "--initial-branch", "main", str(server))
    job = lines_of_job("GitHub Actions" if which == "github" else "GitLab", which)
    assert job.split()[:3] == ["git", "push", "deploy@shop.example.org:shop.git"]
    runner = kind(shop.project.folder / "builds", shop.hub, depth=0)

    for versions in ((2,), (3, 4, 5)):
        done = shop.run(job, runner, shop.push(*versions))
        assert done.returncode == 0, done.stdout + done.stderr
        shop.serves(versions[-1])

    before = shop.release()
    shallow = kind(shop.project.folder / "shallow", shop.hub, depth)
    stopped = shop.run(job, shallow, shop.push(*range(6, 6 + depth + 2)))
    assert stopped.returncode != 0
    assert "shallow update not allowed" in stopped.stderr or "rejected" in stopped.stderr
    assert shop.release() == before
    shop.serves(5)


def test_the_jobs_are_as_deep_as_the_guide_says() -> None:
    text = GUIDE.text
    pushing, here = text.split("## A runner on the server")

    assert "fetch-depth: 0" in pushing
    assert "GIT_DEPTH: 0" in pushing
    assert "fetch-depth: 0\n" not in here
    assert "GIT_DEPTH: 0\n" not in here
