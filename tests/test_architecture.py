"""The house: imports go down only, and the keeper carries nothing that it does not need."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "zdd"

# Each may import those after it, and itself.
FLOORS = [
    "cli",
    "deploy",
    "checks",
    "operate",
    "lock",
    "project snapshot",
    "release",
    "nginx",
    "instances",
    "routing",
    "keeper",
    "paths",
    "claims living",
    "conf history",
    "events",
    "errors host",
    "secret umask",
]
NEIGHBOURS = {
    ("keeper", "errors"),
    ("nginx", "project"),
    ("operate", "checks"),
    ("operate", "deploy"),
    ("project", "snapshot"),
    ("snapshot", "project"),
}


def test_imports_go_down_only() -> None:
    floor = {name: level for level, names in enumerate(FLOORS) for name in names.split()}

    wrong = [
        f"{path.relative_to(SOURCE)} imports zdd.{package}"
        for path in SOURCE.rglob("*.py")
        if (own := package_of(path)) in floor
        for package in imported(path)
        if package in floor and package != own and floor[package] <= floor[own] and (own, package) not in NEIGHBOURS
    ]

    assert wrong == []


def test_the_keeper_imports_the_host_only() -> None:
    wrong = [
        (path.name, package)
        for path in (SOURCE / "keeper").glob("*.py")
        if path.name != "client.py"
        for package in imported(path)
        if package not in ("host", "keeper", "__init__")
    ]

    assert wrong == []


def test_the_load_generator_imports_the_host_at_most() -> None:
    wrong = [
        (path.name, package)
        for path in (SOURCE / "load").glob("*.py")
        for package in imported(path)
        if package not in ("host", "load", "__init__")
    ]

    assert wrong == []


def package_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Yield the packages of zdd that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"zdd.{alias.name}" for alias in node.names] if node.module == "zdd" else [node.module]
        for name in names:
            if name.startswith("zdd."):
                yield name.split(".")[1]
