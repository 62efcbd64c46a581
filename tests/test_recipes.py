"""The page of recipes is made of what the tests deploy, and what a recipe needs is installed for them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from zdd.conf import read

ROOT = Path(__file__).parent.parent
RECIPES = sorted(path for name in ("recipes", "workers") for path in (ROOT / f"samples/{name}").glob("*/deploy.toml"))


def test_the_page_is_what_the_tool_makes_of_the_recipes() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "tools/recipes.py"], capture_output=True, text=True, timeout=60, check=True
    )

    page = "docs/reference/recipes.md"
    assert (ROOT / page).read_text() == made.stdout, f"python tools/recipes.py > {page}"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name)
def test_a_recipe_is_understood_and_all_that_it_needs_is_installed_for_its_test(path: Path) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    script = (ROOT / "dev").read_text()
    needs = re.search(r"(?m)^# needs: (.+)$", path.read_text())

    assert read.load(path).services
    assert needs
    for need in needs[1].split(", "):
        tool, *words = need.split()
        if tool == "pip":
            assert set(words[1:]) <= {*extras["dev"], *extras["zoo"]}
        elif tool == "apt":
            assert all(word in script for word in words[1:])
        elif tool != "npm":
            assert tool in script or f"{tool}-bin" in extras["zoo"]
