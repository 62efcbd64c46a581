"""The gate, with a clock that a test may look at."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("services", ["web", "web api admin jobs shop blog wiki mail"])
def test_versions_that_hang_are_not_waited_for_before_they_are_replaced(tmp_path: Path, services: str) -> None:
    (tmp_path / "deploy.toml").write_text(
        '[zdd]\nproject = "p"\nstate_dir = "S"\nruntime_dir = "R"\n[service.web]\nrun = "app {fd}"\n'
    )
    clock = Hurried()
    gate = Gate(Paths(load(tmp_path)), Door(MARK, "/dev/null", True, {"web": 60.0}), clock)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        gate.look_before([Visit(name, silent.getsockname(), "localhost", "/") for name in services.split()])

    assert clock.seconds < 10
