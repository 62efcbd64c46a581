from __future__ import annotations

from collections.abc import Iterator

import pytest

from .site import Site


@pytest.fixture
def site() -> Iterator[Site]:
    """A classic project, not deployed yet."""
    made = Site()
    yield made
    made.end()
