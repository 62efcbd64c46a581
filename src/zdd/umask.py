"""The umask: zdd has its own, so that what it makes has the same modes whoever calls it from wherever."""

from __future__ import annotations

import os

OWN = 0o022  # what others may read they may, and nobody but the owner writes

_callers = -1


def take() -> None:
    """Have zdd's own from now on, and what it starts too; `callers` still tells the one of before."""
    global _callers
    _callers = os.umask(OWN)


def callers() -> int:
    """Return the umask that zdd was called with, for what must be started with it; -1 is the one that there is."""
    return _callers
