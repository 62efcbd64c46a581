"""Which location of a server block takes a path, by the rules of ngx_http_core_find_location() in nginx."""

from __future__ import annotations

from typing import NamedTuple

from zdd.nginx.config import pattern
from zdd.nginx.config.parse import Directive

Chain = tuple[Directive, ...]  # a location, after those that it is in


class Location(NamedTuple):
    """The arguments of a location: "=", "^~", "~", "~*", "@" or "", and its path, expression or name."""

    kind: str
    path: str
    directive: Directive


class Unclear(Exception):  # noqa: N818 -- what it is, not what went wrong
    """Whether a regular expression takes the path is not known."""


def locations(block: Directive) -> list[Location]:
    """Return the locations that stand right in a block."""
    return [_location(directive) for directive in block.inner("location") if directive.block is not None]


def find(server: Directive, path: str) -> Chain:
    """Return the location that takes a path, after those that it is in; () if none does. Raises Unclear."""
    return _find(server, path)[0]


def named(server: Directive, name: str) -> Chain:
    """Return the location that only redirects inside nginx lead to, such as @app; () if there is none."""
    return next(((here.directive,) for here in locations(server) if here.kind == "@" and here.path == name), ())


def paths(block: Directive) -> list[str]:
    """Return the paths of all locations that have one, those of nested ones after those that they are in."""
    found: list[str] = []
    for here in locations(block):
        if here.kind in ("", "=", "^~"):
            found.append(here.path)
        found += paths(here.directive)
    return found


def _find(block: Directive, path: str) -> tuple[Chain, bool]:
    """Return the location, and whether it is final: an exact one, or by a regular expression."""
    inside = locations(block)
    for here in inside:
        if here.kind == "=" and here.path == path:
            return (here.directive,), True
    prefixes = [here for here in inside if here.kind in ("", "^~") and path.startswith(here.path)]
    best = max(prefixes, key=lambda here: len(here.path), default=None)
    chain: Chain = ()
    if best:
        deeper, final = _find(best.directive, path)
        chain = (best.directive, *deeper)
        if final:
            return chain, True
    if best is None or best.kind != "^~":
        for here in inside:
            if here.kind in ("~", "~*") and _takes(here, path):
                return (here.directive, *_find(here.directive, path)[0]), True
    return chain, False


def _takes(here: Location, path: str) -> bool:
    matches = pattern.matches(here.path, path, here.kind == "~*")
    if matches is None:
        raise Unclear
    return matches


def _location(directive: Directive) -> Location:
    """Read the arguments; nginx takes the modifier and the path as one word, too."""
    word = directive.args[0]
    if len(directive.args) > 1:
        return Location(word, directive.args[1], directive)
    for kind in ("=", "^~", "~*", "~"):
        if word.startswith(kind):
            return Location(kind, word.removeprefix(kind), directive)
    return Location("@" if word.startswith("@") else "", word, directive)
