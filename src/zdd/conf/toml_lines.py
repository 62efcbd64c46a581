"""The lines of sections and keys in TOML text; loaded only for a mistake."""

import re
import tomllib
from collections.abc import Iterator
from functools import lru_cache

# What a text consists of: strings that may go over several lines, one-line strings, comments, ends of lines, brackets.
_PARTS = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|\'\'\'.*?\'\'\'|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|#[^\n]*|[\n\[\]{}]|[^"\'#\n\[\]{}]+|.',
    re.DOTALL,
)
_LONGEST = 300  # characters of a header or key; a longer one is not looked up


def line_of(text: str, section: str, key: str | None) -> int | None:
    """Return the line of a section's header, or of its key; of the section if the key is not found there."""
    name, dot, service = section.partition(".")
    place = (name, service) if dot and name == "service" else (section,) if section else ()
    known = _lines(text)
    return (known.get((*place, key)) if key is not None else None) or known.get(place)


@lru_cache(maxsize=1)
def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Return the first line of each table and key of the text."""
    known: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, statement in _statements(text):
        is_header = statement.startswith("[")
        path = _path(statement if is_header else f"{_before_value(statement)} = 0")
        if is_header and path:
            table = path
        whole = path if is_header else (*table, *path)
        for end in range(1, len(whole) + 1):
            known.setdefault(whole[:end], number)
    return known


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each header and each setting with its line; of a value only what stands in the first line."""
    number, first, depth, line = 1, 1, 0, ""
    for part in _PARTS.findall(text + "\n"):
        depth += (part in "[{") - (part in "]}") if len(part) == 1 else 0
        if part == "\n" and depth <= 0:
            if line.strip():
                yield first, line.strip()
            line, depth, first = "", 0, number + 1
        elif not part.startswith("#") and len(line) <= _LONGEST:
            line += part
        number += part.count("\n")


def _before_value(statement: str) -> str:
    """Return the key of a setting: everything before the first = outside of quotes."""
    key = re.match(r"(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^=\"'])*", statement)
    return key[0] if key else ""


def _path(statement: str) -> tuple[str, ...]:
    """Return the names in a header, or in a key, from the outermost to the innermost; nothing if it is neither."""
    try:
        inner = tomllib.loads(statement) if len(statement) <= _LONGEST else {}
    except (ValueError, RecursionError):
        return ()
    names: list[str] = []
    while isinstance(inner, dict) and inner:
        name, inner = next(iter(inner.items()))
        names.append(name)
        inner = inner[0] if isinstance(inner, list) and inner else inner
    return tuple(names)
