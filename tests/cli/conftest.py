from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..system.classic import ClassicProject


@pytest.fixture
def project() -> Iterator[ClassicProject]:
    """A project with one classic service, not deployed yet."""
    made = ClassicProject()
    yield made
    made.end()


@pytest.fixture(scope="module")
def deployed() -> Iterator[ClassicProject]:
    """A project that serves; its tests only look at it."""
    made = ClassicProject()
    made.zddeploy()
    yield made
    made.end()
