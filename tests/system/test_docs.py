"""What docs/ has to type is typed, and the screen is that of the page."""

from __future__ import annotations

import time

from ..pages import DOCS, Page
from .project import Project
from .typist import Typist, plain


def test_the_screens_of_the_tutorial_are_real(project: Project) -> None:
    typist = Typist(project)
    try:
        for block in Page(DOCS / "tutorial.md").blocks:
            if block.where:
                typist.write(block)
            for command, expected in block.dialogue() if block.language == "console" else []:
                shown = typist.type(command)
                patience = time.monotonic() + (10 if command.startswith("curl") else 0)
                while plain(shown) != plain(expected) and time.monotonic() < patience:  # the second of two versions
                    shown = typist.type(command)
                assert plain(shown) == plain(expected), "`python -m tools.tutorial` writes the page anew"
    finally:
        typist.type("zddeploy down")
