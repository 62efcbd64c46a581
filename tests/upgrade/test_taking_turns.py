"""
Further stories of both programs on one site that is under load.

A new case is a line in a story, or a story in STORIES.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .story import Step, Story, new, old

OFF_AND_ON = [  # what one has taken down, the other one brings back
    old("deploy", serves=1),
    old("deploy", serves=2),
    new("restart", serves=2),
    old("restart", serves=2),
    new("down", serves=None),
    old("up", serves=2),
    old("down", serves=None),
    new("up", serves=2),
    new("status", serves=2),
    old("down", serves=None),
]
NO_WAY_BACK = "gone|warm"
ALL_KINDS = [  # the code is where it is, and old workers and classic services are not kept warm
    old("deploy", serves=1),
    old("deploy", serves=2),
    new("status", serves=2),
    new("rollback", serves=2, refused=NO_WAY_BACK),
    new("deploy", serves=3),
    new("deploy web", serves=3, web=4),
    old("status", serves=3, web=4),
    old("deploy", serves=5),
    old("rollback", serves=5, refused=NO_WAY_BACK),
    new("deploy api", serves=5, api=6),
    old("deploy chat", serves=5, api=6, chat=7),
    new("status", serves=5, api=6, chat=7),
    new("down", serves=None),
]
STORIES = [
    ("every kind", ALL_KINDS),
    ("own nginx", OFF_AND_ON),
    ("releases", OFF_AND_ON),
]


@pytest.mark.parametrize(("site", "steps"), STORIES, ids=[site for site, _ in STORIES])
def test_both_take_turns(story: Callable[[str], Story], site: str, steps: list[Step]) -> None:
    story(site).play(steps)
