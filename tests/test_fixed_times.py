"""Every fixed time in the source says what it is for: measured, derived, or a limit that somebody can judge."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from .test_architecture import SOURCE


def test_every_fixed_time_says_what_it_is_for() -> None:
    assert [place for path in sorted(SOURCE.rglob("*.py")) for place in silent(path)] == []


def test_a_silent_time_is_found(tmp_path: Path) -> None:
    source = tmp_path / "waits.py"
    source.write_text(
        "_SAID = 0.1  # seconds\n# Measured.\n_ABOVE = 0.2\n_MANY = 2\n\n_PAIR, _OTHER = 2.0, 1\n_NOT = 0.3\n"
    )

    assert list(silent(source)) == ["waits.py:6: _PAIR", "waits.py:7: _NOT"]


def silent(path: Path) -> Iterator[str]:
    """Yield the module's constants with a float in them, which are seconds or shares, and without a comment."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and has_float(node.value):
            beside = "".join(lines[node.lineno - 1 : node.end_lineno])
            above = lines[node.lineno - 2].strip() if node.lineno > 1 else ""
            if "#" not in beside and not above.startswith("#"):
                yield f"{path.name}:{node.lineno}: {next(names(node.targets[0]))}"


def has_float(value: ast.expr) -> bool:
    values = value.elts if isinstance(value, ast.Tuple) else [value]
    return any(isinstance(each, ast.Constant) and isinstance(each.value, float) for each in values)


def names(target: ast.expr) -> Iterator[str]:
    yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
