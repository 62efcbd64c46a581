"""
The old program and the new one take turns on a site that is under load, and nobody loses a request.

A new case is a line in a story, a story in STORIES, or a site in `sites.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .sites import SITES
from .story import Step, Story, new, old

GOES_ON = [  # what the old one has deployed, the new one takes over
    old("deploy", serves=1),
    old("deploy", serves=2),
    new("status", serves=2),
    new("history", serves=2),
    new("recover", serves=2),
    new("rollback", serves=1),
    new("status", serves=1),
    new("deploy", serves=3),
    new("status", serves=3),
    new("rollback", serves=1),
    new("down", serves=None),
]
GOES_BACK = [  # what the new one has deployed, the old one takes over, for the new one was no good
    old("deploy", serves=1),
    new("deploy", serves=2),
    new("deploy web", serves=2, web=3),
    old("status", serves=2, web=3),
    old("history", serves=2, web=3),
    old("recover", serves=2, web=3),
    old("deploy", serves=4),
    old("status", serves=4),
    old("rollback", serves=2, web=3),
    old("status", serves=2, web=3),
    old("down", serves=None),
]
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
NO_WAY_BACK = "code is gone"
ALL_KINDS = [  # code in place, and not all of it is kept warm
    old("deploy", serves=1),
    old("deploy", serves=2),
    new("status", serves=2),
    new("rollback", serves=2, refused=NO_WAY_BACK),
    new("deploy", serves=3),
    new("deploy web", serves=3, web=4),
    old("status", serves=3, web=4),
    old("rollback", serves=3, web=4, refused=NO_WAY_BACK),
    old("deploy", serves=5),
    new("deploy api", serves=5, api=6),
    old("deploy chat", serves=5, api=6, chat=7),
    new("status", serves=5, api=6, chat=7),
    new("down", serves=None),
]
WITH_A_WAY_BACK = [name for name in SITES if name != "every kind"]
STORIES = [
    *[pytest.param(site, GOES_ON, id=f"{site}, the new one goes on") for site in WITH_A_WAY_BACK],
    *[pytest.param(site, GOES_BACK, id=f"{site}, the old one goes on again") for site in WITH_A_WAY_BACK],
    *[pytest.param(site, OFF_AND_ON, id=f"{site}, off and on") for site in ("own nginx", "include", "releases")],
    pytest.param("every kind", ALL_KINDS, id="every kind"),
]


@pytest.mark.parametrize(("site", "steps"), STORIES)
def test_both_take_turns(story: Callable[[str], Story], site: str, steps: list[Step]) -> None:
    story(site).play(steps)
