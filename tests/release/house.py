"""Projects and git repositories in a folder of the test's own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from zdd.conf.nginx_section import NginxSection
from zdd.conf.schema import Config, ReleaseSection, ZddSection
from zdd.host.command import Commands
from zdd.paths import Paths
from zdd.release.releases import Releases


class Repository:
    """A git repository with a working tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.git("init", "--quiet", "-b", "main", str(path))

    def git(self, *words: str) -> str:
        self.path.mkdir(exist_ok=True)
        done = subprocess.run(["git", *words], cwd=self.path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, **contents: str) -> str:
        """Commit these files (`_` in a name is a dot, `__` a slash) and return the commit."""
        for name, text in contents.items():
            write(self.path / name.replace("__", "/").replace("_", "."), text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "message")
        return self.git("rev-parse", "HEAD")


class House:
    """A project with a [release] section: S, R and the log of its builds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "S"
        self.state.mkdir(exist_ok=True)
        self.log = str(folder / "build.log")
        self.notices: list[str] = []

    def releases(self, source: Path | str, interrupt: Callable[[], None] = lambda: None, **keys: object) -> Releases:
        section = ReleaseSection(source=str(source), **keys)  # type: ignore[arg-type]
        config = Config(
            path=self.folder / "deploy.toml",
            folder=self.folder,
            project="shop",
            zdd=ZddSection(state_dir=self.state, runtime_dir=self.folder / "R"),
            nginx=NginxSection(),
            services={},
            release=section,
            warnings=[],
        )
        return Releases(section, Paths(config), Commands(), self.notices.append, interrupt)

    def build(self, releases: Releases, rev: str | None = None) -> str:
        """Build what there is and return the release's id."""
        revision = releases.resolve(rev)
        releases.build(revision, self.log)
        return revision.id

    def logged(self) -> str:
        return Path(self.log).read_text()

    def left(self) -> list[str]:
        """Return what there is of releases."""
        return sorted(os.listdir(self.state / "releases"))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
