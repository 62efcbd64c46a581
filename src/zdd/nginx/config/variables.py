"""The values that nginx's variables can have, as far as a configuration says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from zdd.nginx.config.parse import Directive, Place, walk

_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_TABLES = ("map", "geo", "split_clients")  # blocks whose last argument is a variable, and whose lines are its values
_NO_VALUES = ("hostnames", "volatile", "proxy_recursive", "ranges", "include", "proxy", "delete")
_MOST = 64  # values of one word
_DEPTH = 5  # of variables in the values of others


class Variables:
    """The variables of a whole configuration: those that `set`, `map`, `geo` and `split_clients` make."""

    def __init__(self, text: list[Directive]) -> None:
        self._tables: dict[str, set[str] | None] = {}
        self._sets: dict[tuple[int, str], set[str]] = {}
        for place in walk(text):
            directive = place.directive
            if directive.name in _TABLES and directive.block is not None and directive.args:
                self._tables[directive.args[-1]] = _table(directive)
            elif directive.name == "set" and len(directive.args) == 2:
                self._sets.setdefault((_server(place), directive.args[0]), set()).add(directive.args[1])

    def values(self, word: str, place: Place) -> set[str] | None:
        """Return what a word can mean at this place; None where a variable in it can have any value."""
        return self._values(word, _server(place), _DEPTH)

    def _values(self, word: str, server: int, depth: int) -> set[str] | None:
        choices: list[set[str]] = []
        for piece, is_variable in pieces(word):
            known = self._of(piece, server, depth) if is_variable else {piece}
            if known is None or len(known) > _MOST:
                return None
            choices.append(known)
        words = {"".join(chosen) for chosen, _ in zip(product(*choices), range(_MOST + 1), strict=False)}
        return words if len(words) <= _MOST else None

    def _of(self, name: str, server: int, depth: int) -> set[str] | None:
        written = self._sets.get((server, f"${name}")) or self._tables.get(f"${name}")
        if written is None or depth == 0:
            return None
        known: set[str] = set()
        for word in written:
            values = self._values(word, server, depth - 1)
            if values is None:
                return None
            known |= values
        return known


def pieces(word: str) -> Iterator[tuple[str, bool]]:
    """
    Yield the pieces of a word, each with whether it is the name of a variable.

    >>> list(pieces("http://$up/${a}b"))
    [('http://', False), ('up', True), ('/', False), ('a', True), ('b', False)]
    """
    plain, position = "", 0
    while position < len(word):
        name, end = _name(word, position)
        if not name:
            plain += word[position:end]
        else:
            if plain:
                yield plain, False
            plain = ""
            yield name, True
        position = end
    if plain or not word:
        yield plain, False


def expand(word: str, values: Mapping[str, str]) -> str | None:
    """Return the word with these values of its variables; None if it has others."""
    known = [values.get(piece) if is_variable else piece for piece, is_variable in pieces(word)]
    return None if None in known else "".join(piece for piece in known if piece is not None)


def _name(word: str, start: int) -> tuple[str, int]:
    """Return the name of the variable that begins here, "" if none does, and where to go on."""
    if word[start] != "$":
        end = word.find("$", start)
        return "", end if end >= 0 else len(word)
    if word.startswith("${", start):
        end = word.find("}", start)
        return (word[start + 2 : end], end + 1) if end > start + 2 else ("", start + 1)
    end = start + 1
    while end < len(word) and word[end] in _NAME:
        end += 1
    return word[start + 1 : end], end


def _table(block: Directive) -> set[str] | None:
    """Return the values of a map or the like, None where some stand in another file."""
    lines = [line for line in block.block or () if line.args or line.name == "include"]
    if any(line.name == "include" for line in lines):
        return None
    values = {line.args[0] for line in lines if line.name not in _NO_VALUES}
    return values if any(line.name in ("default", "*") for line in lines) else values | {""}


def _server(place: Place) -> int:
    """Return what stands for the server block that a place is in: a variable is set for one request there."""
    server = place.directive if place.directive.name == "server" else place.enclosing("server")
    return id(server.block) if server else 0
