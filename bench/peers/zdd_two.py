"""zdd with two instances: two starts at once, each of which would have a core for itself."""

from __future__ import annotations

from typing import Any, ClassVar

from bench.peers import zdd_table


class Driver(zdd_table.Driver):
    """zdd with `instances = 2`."""

    title = "zdd, two instances"
    keys: ClassVar[dict[str, Any]] = zdd_table.Driver.keys | {"instances": 2}
