"""Every fixed time in the source says what it is for: measured, derived, or a limit that somebody can judge."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from .test_architecture import SOURCE

UNITS = 1e6  # numbers from here on convert, as from nanoseconds


INSIDE = """\
def wait(seconds=5.0, most=3.0):  # as long as a poll
    begun = 0.0
    return begun / 1e9

class Wait:
    patience = 10.0
    key: float = 60.0

    @option("--max", default=30.0)
    def end(self):
        # A full queue.
        connect(1.0)
        end(2.0)
"""


def test_every_fixed_time_says_what_it_is_for() -> None:
    assert [place for path in sorted(SOURCE.rglob("*.py")) for place in silent(path)] == []


def test_a_silent_time_is_found(tmp_path: Path) -> None:
    source = tmp_path / "waits.py"
    source.write_text(
        "_SAID = 0.1  # seconds\n# Measured.\n_ABOVE = 0.2\n_MANY = 2\n\n_PAIR, _OTHER = 2.0, 1\n_NOT = 0.3\n"
    )

    assert list(silent(source)) == ["waits.py:6: 2.0", "waits.py:7: 0.3"]


def test_a_silent_time_inside_a_function_is_found_too(tmp_path: Path) -> None:
    source = tmp_path / "waits.py"
    source.write_text(INSIDE)

    assert list(silent(source)) == ["waits.py:6: 10.0", "waits.py:13: 2.0"]


def silent(path: Path) -> Iterator[str]:
    """Yield the module's floats, which are seconds or shares, that have no comment; those of keys have a meaning."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    for node in floats(ast.parse(text)):
        beside, above = lines[node.lineno - 1], lines[node.lineno - 2].strip() if node.lineno > 1 else ""
        if "#" not in beside and not above.startswith("#"):
            yield f"{path.name}:{node.lineno}: {node.value!r}"


def floats(node: ast.AST) -> Iterator[ast.Constant]:
    """Yield the floats below a node but those that are none: nothing, units, and what keys and options begin with."""
    match node:
        case ast.Constant(value=float(value)) if 0 < value < UNITS:
            yield node
        case ast.AnnAssign() | ast.Dict():
            return
        case ast.FunctionDef(args=arguments, body=body):
            yield from floats(arguments)
            for statement in body:
                yield from floats(statement)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from floats(child)
