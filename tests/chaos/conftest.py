from __future__ import annotations

import os

import pytest

from tests.system.conftest import project

__all__ = ["project"]

ALL = "ZDD_CHAOS_ALL"  # set by `./dev chaos`: every point, not a sample


@pytest.fixture
def everything() -> bool:
    """Whether every point is tried, or a sample of them."""
    return bool(os.environ.get(ALL))
