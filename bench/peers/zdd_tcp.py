"""zdd with an app that can only listen on a TCP port: nginx is reloaded, and the reload verified."""

from __future__ import annotations

from bench.peers import zdd_table


class Driver(zdd_table.Driver):
    """zdd with `socket = "tcp"`."""

    title = "zdd, tcp"
    docs = "README.md, How a switch loses nothing"
    keys = zdd_table.Driver.keys | {"run": "gunicorn --bind 127.0.0.1:{port} shop:app", "socket": "tcp"}
