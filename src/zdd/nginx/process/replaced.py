"""What `check` says of an nginx whose program is no longer the one on disk, or beside which others serve."""

from __future__ import annotations

from collections.abc import Iterator

from zdd.errors import UsageError
from zdd.finding import Finding, warning
from zdd.nginx.process.binary import Binary
from zdd.nginx.process.whereabouts import Whereabouts


def findings(whereabouts: Whereabouts, binary: Binary) -> Iterator[Finding]:
    """Yield a warning for each; nginx serves on meanwhile."""
    if rivals := whereabouts.rivals():
        refusal = rivals[0].refusal(UsageError)
        yield warning(refusal.message, "a deploy that needs a reload is refused", refusal.hint or "")
    elif binary.running and (found := whereabouts.master):
        yield warning(
            f"nginx (process {found.pid}) runs a program that was replaced on disk",
            "texts are tested with the running one; the next start runs the new one",
            f"to restart without loss: `kill -USR2 {found.pid}`, and when new workers run `kill -QUIT {found.pid}`",
        )
