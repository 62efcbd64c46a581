from __future__ import annotations

import pytest

# Begun first: one worker runs a file, and the others shall not wait for it in the end.
LONGEST = ("test_killed_anywhere", "test_recipe_signals", "test_zoo")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run every recipe of samples/recipes, not just the first ones")
