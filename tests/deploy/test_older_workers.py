"""Workers of an older nginx text: the drain of an instance waits for those that may still lead to it."""

from __future__ import annotations

import os
from pathlib import Path

from zdd.deploy.plan import Request
from zdd.host.process import Process

from . import commands
from .world import World, load

CONF = """\
[zdd]
project = "zp"
state_dir = "S"
runtime_dir = "R"
[nginx]
template = "nginx.conf.template"
pid_file = "nginx.pid"
[service.old]
start = "a"
stop = "b"
pid_file = "c"
[service.web]
run = "web"
"""


def test_a_socket_does_not_wait_for_the_worker_that_a_port_beside_it_waits_for(tmp_path: Path) -> None:
    worker = Process.find(os.getpid())
    assert worker
    world = World(tmp_path, retiring=[worker])
    (tmp_path / "deploy.toml").write_text(CONF)
    (tmp_path / "nginx.conf.template").touch()

    for _ in range(2):
        commands.deploy(world.project(load(tmp_path)), Request("deploy"))

    assert world.waited_for == {"old-1": [worker], "web-1": []}
