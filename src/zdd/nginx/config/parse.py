"""
nginx's configuration language, read in order to look at it: words and blocks, with included files in their place.

What is wrong with a text is nginx's to say; here it is read as far as it can be.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from zdd.host import files

_TOKEN = re.compile(
    r"""\#[^\n]* | "((?:[^"\\]|\\.)*)" | '((?:[^'\\]|\\.)*)' | ([;{}]) | ((?:\$\{[^}]*\} | \\. | [^\s;{}])+)""",
    re.VERBOSE | re.DOTALL,
)
_DEPTH = 10  # of includes


class Directive(NamedTuple):
    """One directive: its name, what follows it, and the block of those that have one."""

    name: str
    args: list[str]
    block: list[Directive] | None


def parse(text: str) -> list[Directive]:
    """Return the directives of a text; whatever it holds, nothing is raised."""
    above: list[list[Directive]] = []
    block: list[Directive] = []
    words: list[str] = []
    for found in _TOKEN.finditer(text):
        double, single, mark, bare = found.groups()
        if mark is None:
            words += [word for word in (double, single, bare) if word is not None]
            continue
        if mark == "{":
            above.append(block)
            inner: list[Directive] = []
            block.append(Directive(words[0] if words else "", words[1:], inner))
            block = inner
        elif words:
            block.append(Directive(words[0], words[1:], None))
        if mark == "}" and above:
            block = above.pop()
        words = []
    return above[0] if above else block


def read(text: str, folder: str, patterns: list[str] | None = None, depth: int = 0) -> list[Directive]:
    """
    Return the directives of a text whose relative includes are in `folder`, each include replaced by its files'.

    What was included is appended to `patterns`, as absolute paths with wildcards.
    """
    return _included(parse(text), folder, [] if patterns is None else patterns, depth)


def walk(directives: list[Directive]) -> Iterator[ConfFile]:
    """Yield every directive with the blocks that it is in."""
    return _walk((Directive("", [], directives),))


class ConfFile(NamedTuple):
    """A directive, and those whose blocks it is in, the outermost first; that one stands for the whole text."""

    directive: Directive
    above: tuple[Directive, ...]

    def inherited(self, name: str) -> list[Directive]:
        """Return the directives of this name that count here: those of the innermost block that has any."""
        for outer in reversed(self.above):
            if found := [one for one in outer.block or () if one.name == name]:
                return found
        return []


def _walk(above: tuple[Directive, ...]) -> Iterator[ConfFile]:
    for one in above[-1].block or ():
        yield ConfFile(one, above)
        if one.block:
            yield from _walk((*above, one))


def _included(directives: list[Directive], folder: str, patterns: list[str], depth: int) -> list[Directive]:
    found = []
    for one in directives:
        if one.name == "include" and one.args and depth < _DEPTH:
            patterns.append(os.path.join(folder, one.args[0]))
            for path in sorted(glob.glob(patterns[-1])):
                found += read(_text(path), folder, patterns, depth + 1)
        else:
            block = None if one.block is None else _included(one.block, folder, patterns, depth)
            found.append(Directive(one.name, one.args, block))
    return found


def _text(path: str) -> str:
    try:
        return files.read(path) or ""
    except (OSError, UnicodeDecodeError):  # not ours to read
        return ""
