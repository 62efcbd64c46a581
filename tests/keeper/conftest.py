from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .fakes import Terminal
from .instance import House, Instance

New = Callable[..., Instance]
NewStage = Callable[..., Terminal]


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.end()


@pytest.fixture
def new(house: House) -> New:
    """Makes instances; a test says only what is special about its own."""
    return house.instance


@pytest.fixture
def stage(tmp_path: Path) -> NewStage:
    """Makes keepers whose clock, app and socket are the test's."""
    return lambda **record: Terminal(str(tmp_path), **record)


@pytest.fixture
def serving(stage: NewStage) -> NewStage:
    """Makes those that serve."""

    def make(**record: Any) -> Terminal:
        made = stage(**record)
        assert made.keeper.healthy()
        return made

    return make
