"""Letting an instance go whose keeper has died, or does not answer any more."""

from __future__ import annotations

import os
from pathlib import Path

from tests.keeper.conftest import New, house, new
from tests.keeper.instance import Instance, freeze
from zdd.conf import read
from zdd.conf.services import RunService
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.instances.supervised import SupervisedInstance
from zdd.paths import Paths

__all__ = ["house", "new"]


def driver(instance: Instance) -> SupervisedInstance:
    folder = Path(instance.house.path)
    config = folder / "deploy.toml"
    config.write_text(f'[zdd]\nruntime_dir = "{folder}"\nstate_dir = "{folder}/S"\n[service.web]\nrun = "app"\n')
    service = RunService(name="web", run="app")
    return SupervisedInstance(instance.name, service, Paths(read.load(config)), Commands(), Clock())


def test_what_a_dead_keeper_has_left_is_ended(new: New) -> None:
    web = new().start()
    app = web.process()
    web.keeper().signal(9)
    web.await_end()

    driver(web).stop()

    assert not app.alive()
    assert not os.path.exists(web.folder)


def test_a_keeper_that_hangs_ends_with_its_app_and_starts_no_other(new: New) -> None:
    web = new().start()
    app = web.process()
    freeze(web.keeper())

    driver(web)._finish()

    assert web.await_end() == -9
    assert not app.alive()
    assert os.listdir(f"{web.house.path}/control") == []
