"""
What the old program has deployed, the new one takes over, under load, and nobody loses a request.

A new case is a line in the story, or a site in `sites.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .sites import WITH_A_WAY_BACK
from .story import Story, new, old

STORY = [
    old("deploy", serves=1),
    old("deploy", serves=2),
    new("status", serves=2),
    new("history", serves=2),
    new("recover", serves=2),
    new("rollback", serves=1),
    new("status", serves=1),
    new("deploy web", serves=1, web=3),
    new("status", serves=1, web=3),
    new("deploy", serves=4),
    new("rollback", serves=1, web=3),
    new("down", serves=None),
]


@pytest.mark.parametrize("site", WITH_A_WAY_BACK)
def test_the_new_one_goes_on_where_the_old_one_has_deployed(story: Callable[[str], Story], site: str) -> None:
    story(site).play(STORY)
