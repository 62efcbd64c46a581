from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from zdd.host.command import Commands
from zdd.nginx.process import binary

from .house import House

SYSTEM = "/usr/sbin/nginx"


def _packaged() -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        patch.setattr(binary, "_FOLDERS", ())
        return binary.find(None, None, Commands()).path


@pytest.fixture(params=["system", pytest.param("packaged", marks=pytest.mark.matrix)])
def program(request: pytest.FixtureRequest) -> str:
    """Each nginx there is: an old one and a new one."""
    if request.param == "packaged":
        return _packaged()
    if not os.path.exists(SYSTEM):
        pytest.skip(f"there is no {SYSTEM}")
    return SYSTEM


@pytest.fixture
def house(program: str) -> Iterator[House]:
    made = House(program)
    yield made
    made.end()
