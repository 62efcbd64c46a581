"""A driver a file: what it stands for, whose documentation it follows, how it starts and deploys."""

from __future__ import annotations

import importlib

from bench.peer import Peer

NAMES = (
    "zdd_table",
    "zdd_two",
    "zdd_stop_first",
    "zdd_tcp",
    "zdd_classic",
    "nginx_reload",
    "gunicorn_hup",
    "gunicorn_usr2",
    "haproxy",
    "caddy",
    "kamal_proxy",
    "restart",
    "systemd_socket",
    "zdd_node",
    "pm2",
)
# Ways to switch from one running version to the next.
SWITCHES = ("nginx_reload", "nginx_reload_patient", "kamal_proxy", "zdd_unbounded", "zdd_unpooled", "zdd_table")
BASELINES = {"Python": "zdd_table", "Node": "zdd_node"}


def load(name: str) -> type[Peer]:
    """Return the driver."""
    driver: type[Peer] = importlib.import_module(f"bench.peers.{name}").Driver
    return driver
