"""The umask: zdd sets its own, so that its files have the same modes whoever calls it."""

from __future__ import annotations

import os

OWN = 0o022  # others may read, only the owner may write

_callers = -1


def take() -> None:
    """Set zdd's own umask, which programs it starts inherit; `callers` returns the previous one."""
    global _callers
    _callers = os.umask(OWN)


def callers() -> int:
    """Return the umask that zdd was called with, for programs that need it; -1 means no change."""
    return _callers
