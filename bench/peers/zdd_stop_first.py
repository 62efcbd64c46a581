"""zdd where two versions must never run at once: requests wait in the kernel meanwhile."""

from __future__ import annotations

from bench.peers import zdd_table


class Driver(zdd_table.Driver):
    """zdd with `order = "stop-first"`."""

    title = "zdd, stop-first"
    keys = zdd_table.Driver.keys | {"order": "stop-first"}
