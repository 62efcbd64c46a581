from __future__ import annotations

import pytest

pytest_plugins = ["tests.again", "tests.quick", "tests.skips"]

# These files start first: one worker runs a whole file, and the others would wait for a long one that starts last.
LONGEST = ("test_killed_anywhere", "test_broken_releases", "test_outages", "test_walk", "test_interrupted")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--all"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("zoo")])
        items[:] = [item for item in items if not item.get_closest_marker("zoo")]
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run every recipe, and what else needs further packages")
