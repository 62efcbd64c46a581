"""An nginx whose connections cannot be counted: what it may still use is drained by time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zdd.deploy.plan import Request
from zdd.host import namespaces
from zdd.host.process import Process
from zdd.nginx.process.master import Master, Unknown

from . import commands
from .world import World, load

CONF = '[service.web]\nrun = "web"\nkeep_warm = 0\n'


@pytest.mark.parametrize("shared", [True, False, None])
def test_a_drain_waits_while_an_nginx_runs_that_cannot_be_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool | None
) -> None:
    """X6: the count in our own namespace was always 0."""
    nginx = Process.find(os.getpid())
    assert nginx
    monkeypatch.setattr(namespaces, "shares_network", lambda pid: shared)
    counted = {True: [], False: [], None: [nginx]}[shared]

    for answer, waited_for in (
        (Master(nginx), counted),  # in another namespace keepers count by name
        (Unknown("which one?", "say it", (nginx, nginx)), [] if shared else [nginx, nginx]),
    ):
        world = World(tmp_path)
        (tmp_path / "deploy.toml").write_text(f'[zdd]\nproject = "zp"\nstate_dir = "S"\nruntime_dir = "R"\n{CONF}')
        world.nginx = answer
        for _ in range(2):
            commands.deploy(world.project(load(tmp_path)), Request("deploy"))
        assert world.waited_for == {"web-1": waited_for}
