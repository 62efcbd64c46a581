"""
Hosts and paths: those that nginx can match, and those that a request can have.

Names: https://nginx.org/en/docs/http/server_names.html. Paths: nginx compares the decoded path, of which it has removed
".", ".." and slashes that follow another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LABEL = "[A-Za-z0-9_-]{1,63}"
_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_FOUR_NUMBERS = r"([0-9]+\.){3}[0-9]+"
ADDRESS = rf"{_BYTE}(\.{_BYTE}){{3}}"
ADDRESS_6 = r"\[[0-9A-Fa-f:.]{2,45}\]"  # roughly; inet_pton(3) knows
# Four numbers must be an address. In nginx "_" conventionally means no host at all.
_NAME = rf"(?!_\.?$)(?!{_FOUR_NUMBERS}$)(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*"
_REGEX = r"~[^\s;{}\"'\\\0]+"

SERVER_NAME = rf"{_NAME}|{ADDRESS}|{ADDRESS_6}|\*?\.{_NAME}|{_NAME}\.\*|{_REGEX}"
HEADER = rf"(?=.{{1,259}}$)({_LABEL}(\.{_LABEL})*|{ADDRESS_6})(:[0-9]{{1,5}})?"
LISTEN = rf"(({ADDRESS_6}|\*|{ADDRESS}|(?!{_FOUR_NUMBERS}:)[a-zA-Z0-9._-]+):)?[0-9]{{1,5}}"

UNTIDY = r"//|/\.\.?(/|$)"
REGEX = r"[\^|]|\.\+|[\])][+*]|\.\*|\(\?|\$$|^~"
ROUTE = rf"(?!.*({UNTIDY}|%[0-9A-Fa-f]{{2}}|[?#*\^|]|\.\+|[\])]\+|\(\?|\$$))/[^\s;{{}}\"'\\\0]*"
REQUEST_PATH = r'/[!"$-~]*'


class Mistake(ValueError):  # noqa: N818 -- reads as what happened
    """A value that can match nothing: why, and what to write instead if that can be guessed."""

    def __init__(self, why: str | None = None, instead: str | list[str] | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.instead = instead


def as_typed(pattern: str) -> str:
    """Return the pattern of what people may type: also letters that become punycode, and a final dot."""
    wide = pattern.replace(_LABEL, r"([A-Za-z0-9_-]|[^\x00-\x7f]){1,63}").replace("253}", "254}")
    return rf"^(?:{wide})\.?$"


def is_pattern(name: str) -> bool:
    """Return whether the name is a pattern, which matches more than one name."""
    return name.startswith(("*", ".", "~")) or name.endswith("*")


def is_address(name: str) -> bool:
    """Return whether it is an address, of which clients say nothing when they begin to speak TLS."""
    return name.startswith("[") or re.fullmatch(ADDRESS, name) is not None


def meant(name: str) -> list[str]:
    """
    Return the name as nginx compares it: two names for one that begins with a dot.

    >>> meant("Shop.test"), meant(".shop.test")
    (['shop.test'], ['shop.test', '*.shop.test'])
    """
    name = name.lower()
    return [name[1:], f"*{name}"] if name.startswith(".") else [name]


def asked(names: Sequence[str]) -> str | None:
    """Return a Host header that one of these names matches, preferring plain names; None if there is none."""
    plain = [name for name in names if not is_pattern(name)]
    wild = [_example(name) for name in names if is_pattern(name) and not name.startswith("~")]
    return next(iter(plain + wild), None)


def _example(wildcard: str) -> str:
    """
    Return a name that the wildcard matches.

    >>> _example("*.shop.test"), _example(".shop.test"), _example("www.shop.*")
    ('www.shop.test', 'shop.test', 'www.shop.test')
    """
    if wildcard.startswith("."):
        return wildcard[1:]
    return "www" + wildcard[1:] if wildcard.startswith("*") else wildcard[:-1] + "test"
