"""zdd with the Node app, which is what pm2 is to be measured against."""

from __future__ import annotations

from bench.peers import zdd_table


class Driver(zdd_table.Driver):
    """zdd with `socket = "fd"`."""

    title = "zdd, Node"
    language = "Node"
    program = "node"
    keys = zdd_table.Driver.keys | {"run": "node shop.js"}
