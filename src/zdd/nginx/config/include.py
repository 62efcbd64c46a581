"""The files that a configuration includes, read in their place as nginx does it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from zdd.nginx.config.parse import DATA, Directive, parse

_DEPTH = 20  # of includes
_MOST = 2000  # files


class Source(Struct, frozen=True):
    """A file that an `include` means; its text is None where it cannot be read."""

    path: str
    text: str | None


class Expanded(Struct, frozen=True):
    """
    A whole configuration, and what is missing from it.

    `included` has the patterns of all includes, `unread` the files that could not be read or include themselves.
    """

    directives: list[Directive]
    included: list[str]
    unread: list[str]


Reader = Callable[[str], Iterable[Source]]  # from an absolute path with wildcards to the files it matches


def expand(text: str, path: str, read: Reader, folder: str | None = None) -> Expanded:
    """
    Return the directives of a text, each include replaced by its files'.

    `path` is the text's main file. As in nginx, relative includes of all files are in the main file's folder, or in
    `folder` where the text lies elsewhere.
    """
    expansion = _Expansion(os.path.dirname(path) if folder is None else folder, read)
    return Expanded(expansion.of(parse(text, path), (path,)), expansion.included, expansion.unread)


class _Expansion:
    def __init__(self, folder: str, read: Reader) -> None:
        self._folder = folder
        self._read = read
        self._files = 0
        self.included: list[str] = []
        self.unread: list[str] = []

    def of(self, directives: list[Directive], files: tuple[str, ...]) -> list[Directive]:
        """Return the directives of the last of these files, each of which is included by the one before."""
        expanded: list[Directive] = []
        for directive in directives:
            if directive.name == "include" and directive.args:
                expanded += self._included(os.path.join(self._folder, directive.args[0]), files)
            elif directive.block and directive.name not in DATA:
                expanded.append(replace(directive, block=self.of(directive.block, files)))
            else:
                expanded.append(directive)
        return expanded

    def _included(self, pattern: str, files: tuple[str, ...]) -> list[Directive]:
        self.included.append(pattern)
        found: list[Directive] = []
        for source in self._read(pattern):
            self._files += 1
            path = source.path
            if source.text is None or path in files or len(files) > _DEPTH or self._files > _MOST:
                self.unread.append(path)
            else:
                found += self.of(parse(source.text, path), (*files, path))
        return found
