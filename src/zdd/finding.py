"""What was found about a project and its machine."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["error", "warning", "fine"]


class Finding(msgspec.Struct, frozen=True, rename={"fix": "mend"}):
    """
    One finding: what is so, why it matters, how to fix it. A finding of level "fine" has only the first.

    An error makes deploys fail, or makes them lose requests. In JSON `fix` is called mend.
    """

    level: Level
    what: str
    why: str = ""
    fix: str = ""

    @property
    def line(self) -> str:
        """The finding in one line."""
        return f"{self.what}; {self.fix}" if self.fix else self.what


def error(what: str, why: str, fix: str) -> Finding:
    """Return what must be fixed."""
    return Finding("error", what, why, fix)


def warning(what: str, why: str, fix: str) -> Finding:
    """Return what should be fixed."""
    return Finding("warning", what, why, fix)


def fine(what: str) -> Finding:
    """Return what is as it should be."""
    return Finding("fine", what)
