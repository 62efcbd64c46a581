"""Letting an instance go whose keeper has died, or does not answer any more."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import cast

from tests.keeper.conftest import New, house, new
from tests.keeper.instance import Instance, freeze
from zdd.host.clock import Clock
from zdd.instances.kept import Kept
from zdd.paths import Paths

__all__ = ["house", "new"]


def kept(instance: Instance) -> Kept:
    folder = instance.house.path
    paths = SimpleNamespace(control=f"{folder}/control", instance=lambda name: f"{folder}/instances/{name}")
    return Kept(instance.name, cast("Paths", paths), Clock())


def test_what_a_dead_keeper_has_left_is_ended(new: New) -> None:
    web = new().start()
    app = web.process()
    web.keeper().signal(9)
    web.await_end()

    kept(web).finish()

    assert not app.alive()
    assert not os.path.exists(web.folder)


def test_a_keeper_that_hangs_ends_with_its_app_and_starts_no_other(new: New) -> None:
    web = new().start()
    app = web.process()
    freeze(web.keeper())

    kept(web).finish()

    assert web.await_end() == -9
    assert not app.alive()
    assert os.listdir(f"{web.house.path}/control") == []
