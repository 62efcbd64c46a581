"""The gate, with a clock that a test may look at."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.deploy.world import load
from zdd.host.clock import Clock
from zdd.nginx.config.listen import Visit
from zdd.nginx.config.mark import Mark
from zdd.nginx.gate import Door, Gate
from zdd.paths import Paths

MARK = Mark("0123456789ab", "5" * 32, "a" * 32)


class Hurried(Clock):
    """Half a second passes with each look at it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        self.seconds += 0.5
        return self.seconds


def test_a_version_that_hangs_is_not_waited_for_before_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "deploy.toml").write_text(
        '[zdd]\nproject = "p"\nstate_dir = "S"\nruntime_dir = "R"\n[service.web]\nrun = "app {fd}"\n'
    )
    clock = Hurried()
    gate = Gate(Paths(load(tmp_path)), Door(MARK, "/dev/null", True, {"web": 60.0}), clock)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        gate.look_before([Visit("web", silent.getsockname(), "localhost", "/")])

    assert clock.seconds < 10
