"""What CI runners do before the lines of a job: the code of a commit, in a folder that is used again and again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class Runner:
    """A runner with its working folder; `depth` is how much of the history it fetches, 0 for all."""

    def __init__(self, folder: Path, origin: Path, depth: int) -> None:
        self.folder = folder
        self.origin = f"file://{origin}"
        self.depth = depth
        self.jobs = 0

    def check_out(self, commit: str) -> None:
        """Have the code of this commit in the folder."""
        self.jobs += 1
        if not (self.folder / ".git").exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self.git("init", str(self.folder))
            self.git("remote", "add", "origin", self.origin)
        else:
            self.clean()
        self.fetch(commit)

    def clean(self) -> None:
        self.git("clean", "-ffdx")

    def fetch(self, commit: str) -> None:
        raise NotImplementedError

    def git(self, *words: str) -> None:
        subprocess.run(["git", "-C", self.folder, *words], check=True, capture_output=True)

    @property
    def all_of_it(self) -> list[str]:
        """What gets the rest of a history of which a part is there."""
        return ["--unshallow"] if (self.folder / ".git/shallow").exists() else []


class GitHub(Runner):
    """actions/checkout@v4: the commit is on the branch."""

    def clean(self) -> None:
        self.git("checkout", "--detach")
        self.git("branch", "--delete", "--force", "main")
        super().clean()
        self.git("reset", "--hard", "HEAD")

    def fetch(self, commit: str) -> None:
        fetch = ["-c", "protocol.version=2", "fetch", "--prune", "--no-recurse-submodules"]
        if self.depth:
            fetch += ["--no-tags", f"--depth={self.depth}"]
        else:
            every = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]
            self.git(*fetch, *self.all_of_it, "origin", *every)
            fetch += ["--no-tags"]
        self.git(*fetch, "origin", f"+{commit}:refs/remotes/origin/main")
        self.git("checkout", "--progress", "--force", "-B", "main", "refs/remotes/origin/main")


class GitLab(Runner):
    """GIT_STRATEGY fetch: the commit is checked out detached, and no branch is here."""

    def fetch(self, commit: str) -> None:
        depth = ["--depth", str(self.depth)] if self.depth else self.all_of_it
        refs = [f"+{commit}:refs/pipelines/{self.jobs}", "+refs/heads/main:refs/remotes/origin/main"]
        self.git("fetch", "origin", *depth, "--prune", "--quiet", *refs)
        self.git("checkout", "-f", "-q", commit)


def run(script: str, folder: Path, home: Path, path: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the lines of a job as runners do: the first that fails ends it."""
    own = {"HOME": str(home), "PATH": path, "CI": "true", **env}
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=folder,
        env=os.environ | own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
