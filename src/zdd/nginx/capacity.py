"""How many requests can wait at once: what the kernel and nginx allow."""

from __future__ import annotations

import os
import re

from zdd.conf.schema import Config
from zdd.host import files
from zdd.nginx.config import render, template

_SOMAXCONN = "/proc/sys/net/core/somaxconn"
_SHARE = 2  # connections that a request costs nginx: the client's and the one that waits


def waiting(config: Config) -> tuple[int, str]:
    """
    Return how many requests can wait, and what sets that limit.

    One service's requests wait in one queue of the kernel's. nginx as a whole has room for so many: beyond that even
    what it would answer by itself fails.
    """
    queue = files.read_number(_SOMAXCONN) or 128
    found = [(queue, "net.core.somaxconn")]
    if not config.nginx.include:
        written = template.read(str(config.nginx.template)) if config.nginx.template else render.MAIN
        connections = int(_directive(written, "worker_connections", "512"))
        workers = _directive(written, "worker_processes", "1")
        count = (os.cpu_count() or 1) if workers == "auto" else int(workers)
        found.append((connections * count // _SHARE, "nginx's worker_connections"))
    return min(found)


def words(config: Config) -> str:
    """Return the limit as a part of a sentence."""
    most, limit = waiting(config)
    return f"up to {most}, by {limit}"


def _directive(written: str, name: str, default: str) -> str:
    found = re.search(rf"(?m)^\s*{name}\s+(auto|[0-9]+)\s*;", written)
    return found[1] if found else default
