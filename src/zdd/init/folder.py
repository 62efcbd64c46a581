"""A project's folder: its files, and the packages it needs."""

from __future__ import annotations

import json
import os
import re
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any

from zdd.host import foreign

_NOT_OURS = {"venv", "env", "node_modules", "site-packages", "tests", "test", "docs", "build", "dist", "vendor"}
_MOST = 500  # Python files that are read
_LARGEST = 4 << 20  # bytes of a file that are read
_DEPTH = 3  # of folders below the project's own


class Folder:
    """Reads files of the project itself; a file that cannot be read counts as missing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def has(self, name: str) -> bool:
        """Return whether the file or folder exists."""
        return (self.path / name).exists()

    def text(self, name: str) -> str:
        """Return a file's text, empty if it is missing."""
        try:
            return foreign.data(str(self.path / name), _LARGEST).decode(errors="replace")
        except (OSError, ValueError):
            return ""

    @cached_property
    def package(self) -> dict[str, Any]:
        """The object in package.json, empty if it is missing or holds anything else."""
        try:
            value = json.loads(self.text("package.json") or "{}")
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def package_table(self, name: str) -> dict[str, str]:
        """Return the texts in an object of package.json, such as its scripts; empty if it is anything else."""
        return {key: text for key, text in _table(self.package, name).items() if isinstance(text, str)}

    @cached_property
    def pyproject(self) -> dict[str, Any]:
        """The content of pyproject.toml."""
        try:
            return tomllib.loads(self.text("pyproject.toml"))
        except (ValueError, RecursionError):
            return {}

    @cached_property
    def requirements(self) -> set[str]:
        """The normalized names of the Python packages that the project declares."""
        listed = _table(self.pyproject, "project").get("dependencies", [])
        poetry = _table(_table(_table(self.pyproject, "tool"), "poetry"), "dependencies")
        lines = [line for line in [*(listed if isinstance(listed, list) else []), *poetry] if isinstance(line, str)]
        for pattern in ("requirements*.txt", "requirements/*.txt", "Pipfile"):
            for path in self.path.glob(pattern):
                lines += self.text(str(path.relative_to(self.path))).splitlines()
        names = (re.match(r"\s*([A-Za-z0-9][\w.-]*)", line) for line in lines)
        return {re.sub("[-_.]+", "-", name[1]).lower() for name in names if name}

    @cached_property
    def sources(self) -> list[str]:
        """The Python files of the project itself, relative to the folder, the least nested first."""
        paths: list[str] = []
        for where, folders, names in os.walk(self.path):
            inside = os.path.relpath(where, self.path)
            deep = inside.count("/") + (inside != ".")
            ours = [name for name in sorted(folders) if name not in _NOT_OURS and not name.startswith(".")]
            folders[:] = ours if deep < _DEPTH else []
            paths += [os.path.normpath(f"{inside}/{name}") for name in sorted(names) if name.endswith(".py")]
        return sorted(paths, key=lambda path: path.count("/"))[:_MOST]


def _table(values: dict[str, Any], name: str) -> dict[str, Any]:
    value = values.get(name)
    return value if isinstance(value, dict) else {}
