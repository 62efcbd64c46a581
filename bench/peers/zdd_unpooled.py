"""zdd, but behind a text of one's own without a pool of connections to the app."""

from __future__ import annotations

from bench.peers import zdd_table, zdd_unbounded


class Driver(zdd_unbounded.Driver):
    """A connect for every request."""

    title = "rename, no upstream keep-alive"
    pool = ""  # before nginx 1.29.7 the default
    keys = zdd_table.Driver.keys
