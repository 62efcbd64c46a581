"""A page of the docs, as what there is to read, to write and to type."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

_PARTS = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n([\s\S]*?)^```|^##? (.*)', re.MULTILINE)


class Block(NamedTuple):
    """One block: its page and section, its language, where it is typed or which file it is, and its text."""

    page: str
    section: str
    language: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}: {self.where or self.section}"

    @property
    def is_file(self) -> bool:
        return "/" in self.where

    @property
    def is_to_do(self) -> bool:
        """Tell whether somebody who follows the page writes it to a file, or types it."""
        return bool(self.where) or self.language in ("sh", "console")

    def commands(self) -> list[str]:
        """The commands of it, each as it is typed."""
        return self.text.replace("\\\n", "").splitlines()

    def dialogue(self) -> list[tuple[str, str]]:
        """What is typed after each `$ `, and what is then on the screen."""
        parts = re.split(r"(?m)^\$ ", self.text)[1:]
        return [(command, shown) for command, _, shown in (part.partition("\n") for part in parts)]


class Page:
    """Its text and its blocks, in order; what stands before the first section is in that of the title."""

    def __init__(self, path: Path) -> None:
        self.text = path.read_text()
        self.blocks: list[Block] = []
        section = ""
        for language, where, text, heading in _PARTS.findall(self.text):
            if heading:
                section = heading
            else:
                self.blocks.append(Block(path.stem, section, language, where, text))

    def section(self, name: str) -> list[Block]:
        """The blocks under a heading."""
        found = [block for block in self.blocks if block.section == name]
        assert found, f"there is nothing to do under {name!r}"
        return found
