from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from .instance import House, Instance

New = Callable[..., Instance]


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.end()


@pytest.fixture
def new(house: House) -> New:
    """Makes instances; a test says only what is special about its own."""
    return house.instance
