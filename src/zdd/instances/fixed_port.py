"""A port that an app has chosen by itself: its next version may need the same one."""

from __future__ import annotations

from zdd.host import process, sock_diag
from zdd.keeper import client


def fixed_port(pids: str) -> int | None:
    """Return a port where a process of the app listens and that zdd has not given it; `pids` is the keeper's record."""
    known = client.pids(pids)
    held = sock_diag.listeners(process.descendants(known.keeper.pid)) if known.keeper else []
    return next((port for _, port in held if port != known.port), None)
