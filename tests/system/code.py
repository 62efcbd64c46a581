"""A git repository with the apps, as a project's source."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .project import APPS, PLAIN, Project, service

IDENTITY = {f"GIT_{role}_{what}": "test@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Code:
    """The repository of a project, in its folder."""

    def __init__(self, project: Project) -> None:
        self.folder = project.folder / "code"
        shutil.copytree(APPS, self.folder)
        self._git("init", "-q", "-b", "main")
        self.commit(1)

    def commit(self, version: object, **files: str | None) -> str:
        """Make a version, with these files changed or (None) removed; returns its release's name."""
        (self.folder / "VERSION").write_text(str(version))
        for name, text in files.items():
            path = self.folder / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self._git("add", "-A")
        self._git("commit", "-q", "-m", str(version))
        return self._git("rev-parse", "HEAD")[:12]

    def tag(self, name: str) -> None:
        """Give the last version a name."""
        self._git("tag", name)

    def _git(self, *args: str) -> str:
        command = ["git", "-C", str(self.folder), *args]
        run = subprocess.run(command, env=os.environ | IDENTITY, check=True, capture_output=True, text=True)
        return run.stdout.strip()


def configure(project: Project, *, release: str = "", zdd: str = "", **web: object) -> Code:
    """Have one service, web, built from a repository."""
    code = Code(project)
    listen = f'[nginx]\nlisten = "127.0.0.1:{project.port}"\n'
    section = f'[release]\nsource = "{code.folder}"\n{release}\n'
    keys: dict[str, object] = {**PLAIN, "health_path": "/", **web}
    project.write("deploy.toml", project.section() + zdd + listen + section + service("web", **keys))
    return code


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
