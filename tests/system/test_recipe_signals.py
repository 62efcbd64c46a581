"""
Every recipe serves again after whatever its app meets, and the docs say what becomes of it.

The table in docs/reference/recipes.md is made of samples/recipes/signals.json, which
`ZDD_RECORD=1 pytest --all tests/system/test_recipe_signals.py` writes anew.
"""

from __future__ import annotations

import os

import pytest

from .project import Project
from .recipe import laid_out, parametrize
from .signals import MEETINGS, Site, record, recorded


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    parametrize(metafunc)


def test_a_site_survives_what_its_app_meets(project: Project, name: str) -> None:
    known = recorded().get(name, {})
    with laid_out(project, name) as recipe, recipe.in_front(project):
        site = Site(project, recipe, {} if os.environ.get("ZDD_RECORD") else known)
        met = {what: site.meet(what) for what in MEETINGS}

    print(name, met)
    wrong = {what: outcome for what, outcome in met.items() if outcome not in MEETINGS[what]}
    assert not wrong, f"{name}: {wrong}"
    if os.environ.get("ZDD_RECORD"):
        record(name, met)
    else:
        assert met == known, "ZDD_RECORD=1 writes it anew"
