"""
What the new program has deployed, the old one takes over: somebody has gone back to it, and nobody loses a request.

A new case is a line in the story, or a site in `sites.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .sites import WITH_A_WAY_BACK
from .story import Story, new, old

STORY = [
    old("deploy", serves=1),
    new("deploy", serves=2),
    new("deploy web", serves=2, web=3),
    old("status", serves=2, web=3),
    old("history", serves=2, web=3),
    old("recover", serves=2, web=3),
    old("deploy web", serves=2, web=4),
    old("rollback", serves=2, web=3),
    old("status", serves=2, web=3),
    old("deploy", serves=5),
    old("rollback", serves=2, web=3),
    old("down", serves=None),
]


@pytest.mark.parametrize("site", WITH_A_WAY_BACK)
def test_the_old_one_goes_on_where_the_new_one_has_deployed(story: Callable[[str], Story], site: str) -> None:
    story(site).play(STORY)
