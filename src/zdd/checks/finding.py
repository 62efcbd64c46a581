"""What was found about a project and its machine."""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["error", "warning", "fine"]


class Finding(msgspec.Struct):
    """
    One thing: what is so, why it matters, how to mend it; of what is fine only what is so.

    An error keeps deploys from working, or has them lose requests.
    """

    level: Level
    what: str
    why: str = ""
    fix: str = ""

    @property
    def line(self) -> str:
        """It in one line."""
        return f"{self.what}; {self.fix}" if self.fix else self.what


def error(what: str, why: str, fix: str) -> Finding:
    """Return what has to be mended."""
    return Finding("error", what, why, fix)


def warning(what: str, why: str, fix: str) -> Finding:
    """Return what ought to be mended."""
    return Finding("warning", what, why, fix)


def fine(what: str) -> Finding:
    """Return what is as it should be."""
    return Finding("fine", what)
