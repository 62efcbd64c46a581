"""
nginx's configuration language, read in order to look at it: words and blocks, with included files in their place.

Whether a text is valid is for nginx to say; here it is read as far as possible.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(\#[^\n]*) | "((?:[^"\\]|\\.)*)" | '((?:[^'\\]|\\.)*)' | ([;{}]) | ((?:\$\{[^}]*\} | \\. | [^\s;{}])+)""",
    re.VERBOSE | re.DOTALL,
)
_DEPTH = 10  # of includes

Reader = Callable[[str], Iterable[str]]  # from an absolute path with wildcards to the texts of the files it matches


class Directive(NamedTuple):
    """One directive: its name, its arguments, and its block if it has one."""

    name: str
    args: list[str]
    block: list[Directive] | None


class Place(NamedTuple):
    """A directive, and those whose blocks it is in, the outermost first; that one stands for the whole text."""

    directive: Directive
    above: tuple[Directive, ...]

    def inherited(self, name: str) -> list[Directive]:
        """Return the directives of this name that apply here: those of the innermost block that has any."""
        for outer in reversed(self.above):
            if directives := [directive for directive in outer.block or () if directive.name == name]:
                return directives
        return []


def parse(text: str) -> list[Directive]:
    """Return the directives of a text. Never raises, whatever the text is."""
    above: list[list[Directive]] = []
    block: list[Directive] = []
    words: list[str] = []
    for token in _TOKEN.finditer(text):
        _, double, single, mark, bare = token.groups()
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


def without_comments(text: str) -> str:
    """Return the text without its comments."""
    return _TOKEN.sub(lambda token: "" if token[1] else token[0], text)


def expand(text: str, folder: str, read: Reader) -> list[Directive]:
    """Return the directives of a text, each include replaced by its files'. Relative includes are in `folder`."""
    return _expanded(parse(text), folder, read, 0)


def walk(directives: list[Directive]) -> Iterator[Place]:
    """Yield every directive with the blocks that it is in."""
    return _walk((Directive("", [], directives),))


def first(text: str, name: str, default: str) -> str:
    """Return the first argument of the first directive of this name, or the default."""
    places = (place.directive for place in walk(parse(text)))
    return next((directive.args[0] for directive in places if directive.name == name and directive.args), default)


def _walk(above: tuple[Directive, ...]) -> Iterator[Place]:
    for directive in above[-1].block or ():
        yield Place(directive, above)
        if directive.block:
            yield from _walk((*above, directive))


def _expanded(directives: list[Directive], folder: str, read: Reader, depth: int) -> list[Directive]:
    expanded = []
    for name, args, block in directives:
        if name == "include" and args and depth < _DEPTH:
            for text in read(os.path.join(folder, args[0])):
                expanded += _expanded(parse(text), folder, read, depth + 1)
        else:
            expanded.append(Directive(name, args, None if block is None else _expanded(block, folder, read, depth)))
    return expanded
