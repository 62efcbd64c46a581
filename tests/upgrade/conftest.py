from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.system.project import Project

from .programs import NEW, OLD, Program, install_old, new_one
from .sites import SITES
from .story import Story


@pytest.fixture(scope="session")
def programs() -> Iterator[Mapping[str, Program]]:
    """The old program, installed from its wheel, and the new one."""
    with tempfile.TemporaryDirectory(prefix="zddold", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # apps of other users have it in their PATH's neighbourhood
        yield {OLD: install_old(folder), NEW: new_one()}


@pytest.fixture
def story(programs: Mapping[str, Program]) -> Iterator[Callable[[str], Story]]:
    """Begins a story on a site of this kind; when the test is over, nothing was lost, and nothing is left."""
    begun: list[Story] = []

    def begin(kind: str) -> Story:
        begun.append(Story(SITES[kind](Project()), programs))
        return begun[-1]

    yield begin
    for one in begun:
        try:
            one.end()
        finally:
            one.take_down()
            one.site.end()
