"""
nginx's configuration language, read in order to look at it: a tree of directives.

Whether a text is valid is for nginx to say; here it is read as far as possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from zdd.nginx.config import lexer

DATA = frozenset({"map", "geo", "types", "split_clients", "charset_map"})  # blocks whose lines are no directives
_DIGITS = 10
_DEPTH = 64  # of blocks; what is deeper is left out


class Spot(Struct, frozen=True):
    """Where a directive stands: its file ("" if unknown), the line of its name, and its first and last offset."""

    file: str
    line: int
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


_NOWHERE = Spot("", 0, 0, 0)


class Directive(Struct, frozen=True):
    """
    One directive: its name, its arguments, its block if it has one, and where it stands.

    Two directives are equal if they say the same, wherever they stand.
    """

    name: str
    args: list[str]
    block: list[Directive] | None
    spot: Spot = _NOWHERE

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Directive) and self._said() == other._said()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def _said(self) -> tuple[object, ...]:
        return self.name, self.args, self.block

    def inner(self, name: str) -> list[Directive]:
        """Return the directives of this name that have arguments and stand right in the block."""
        return [directive for directive in self.block or () if directive.name == name and directive.args]


class Place(Struct, frozen=True):
    """A directive, and those whose blocks it is in, the outermost first; that one stands for the whole text."""

    directive: Directive
    above: tuple[Directive, ...]

    def inherited(self, name: str) -> list[Directive]:
        """Return the directives of this name that apply here: those of the innermost block that has any."""
        for outer in reversed(self.above):
            if directives := [directive for directive in outer.block or () if directive.name == name]:
                return directives
        return []

    def enclosing(self, name: str) -> Directive | None:
        """Return the innermost block of this name that the directive is in."""
        return next((outer for outer in reversed(self.above) if outer.name == name), None)

    def is_http(self) -> bool:
        """Return whether the directive is about HTTP: not in a block of stream or mail."""
        return not any(outer.name in ("stream", "mail") for outer in self.above[:2])


@lru_cache(maxsize=4)  # a command asks several things of a text that may be long
def parse(text: str, file: str = "", template: bool = False) -> list[Directive]:
    """
    Return the directives of a text, which nobody may change. Never raises, whatever the text is.

    In a template each placeholder that stands for whole directives is a directive of its own.
    """
    above: list[list[Directive]] = []
    block: list[Directive] = []
    words: list[str] = []
    line, counted, start = 1, 0, 0
    for token in lexer.tokens(text, template):
        if token.kind == "comment":
            continue
        if not words:
            line += text.count("\n", counted, token.start)
            counted = start = token.start
        if token.kind == "word":
            words.append(token.value)
            continue
        spot = Spot(file, line, start, token.end)
        if token.kind == "{":
            inner: list[Directive] = []
            if len(above) < _DEPTH:
                block.append(Directive(words[0] if words else "", words[1:], inner, spot))
            above.append(block)
            block = inner
        elif words:
            block.append(Directive(words[0], words[1:], None, spot))
        if token.kind == "line":
            block.append(Directive(token.value, [], None, replace(spot, start=token.start)))
        if token.kind == "}" and above:
            block = above.pop()
        words = []
    return above[0] if above else block


def walk(directives: list[Directive]) -> Iterator[Place]:
    """Yield every directive with the blocks that it is in. The lines of a map, or of such a block, are none."""
    return _walk((Directive("", [], directives),))


def every(directives: list[Directive], name: str) -> Iterator[Directive]:
    """Yield the directives of this name that have arguments, wherever they stand."""
    return (place.directive for place in walk(directives) if place.directive.name == name and place.directive.args)


def at(directives: Iterable[Directive], *names: str) -> list[Directive]:
    """Return the directives with arguments at this place, such as "events", "worker_connections", and nowhere else."""
    for outer in names[:-1]:
        directives = [inner for directive in directives if directive.name == outer for inner in directive.block or ()]
    return [directive for directive in directives if directive.name == names[-1] and directive.args]


def value(directives: Iterable[Directive], *names: str, default: str) -> str:
    """Return the first argument of the first directive at this place, or the default."""
    return next((directive.args[0] for directive in at(directives, *names)), default)


def number(directives: Iterable[Directive], *names: str, default: int) -> int:
    """Return the first argument of the first directive at this place as a number; the default if it is none."""
    word = value(directives, *names, default="")
    return int(word) if word.isascii() and word.isdecimal() and len(word) < _DIGITS else default


def first(text: str, name: str, default: str) -> str:
    """Return the first argument of the first directive of this name outside of all blocks, or the default."""
    return value(parse(text), name, default=default)


def _walk(above: tuple[Directive, ...]) -> Iterator[Place]:
    for directive in above[-1].block or ():
        yield Place(directive, above)
        if directive.block and directive.name not in DATA:
            yield from _walk((*above, directive))
