"""docs/security.md promises only what a test holds: each row of its table names tests, and each of them exists."""

from __future__ import annotations

import ast
import re

import pytest

from .pages import DOCS, ROOT

_HEAD = "| what root uses | whose it is | why it is safe | tests |"
_NAME = re.compile(r"`([\w/]+\.py)::(\w+)`")


def rows() -> list[str]:
    """The rows of the table, each as one line."""
    _, _, below = (DOCS / "security.md").read_text().partition(f"{_HEAD}\n")
    lines = below.splitlines()[1:]
    return lines[: next(number for number, line in enumerate(lines) if not line.startswith("|"))]


def test_the_table_is_there() -> None:
    assert len(rows()) > 20


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.split("|")[1].strip())
def test_each_row_is_held_by_tests_that_exist(row: str) -> None:
    what, whose, why, tests = (cell.strip() for cell in row.strip("|").split("|"))
    named = _NAME.findall(tests)

    assert all((what, whose, why))
    assert named
    assert _NAME.sub("", tests).strip(", ") == ""
    for file, name in named:
        tree = ast.parse((ROOT / "tests" / file).read_text())
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in defined, f"{file} has no {name}"
