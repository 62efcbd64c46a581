"""
The tokens of nginx's language, by the rules of ngx_conf_read_token() in nginx's ngx_conf_file.c.

A comment begins only where a word could begin. A word ends at white space, ";" or "{"; "}" is part of a word unless it
stands where a word could begin, and "{" is part of one after "$". A quoted word may go over several lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

Kind = Literal["word", "line", ";", "{", "}", "comment"]

LUA = "_by_lua_block"  # what a directive ends in whose block is Lua, not nginx's language

_PLACEHOLDER = r"\{[^{}\s;#][^{}\s;]*\}"
_LINE = r"\{(?:[^{}\s;]+\.servers|zdd\.mark)\}"  # a placeholder that stands for whole directives
_TOKEN = r"""
    [ \t\r\n]*+ (?:
    (?P<comment> \# [^\n]*+ )
    | " (?P<double> (?: \\. | [^"\\] )*+ ) (?: " | \\?\Z )
    | ' (?P<single> (?: \\. | [^'\\] )*+ ) (?: ' | \\?\Z )
    | %s
    (?P<mark> [;{}] )
    | (?P<bare> (?: [^ \t\r\n;{$\\]++ | \$\{*+ | \\.? %s )++ )
    )"""
_IN_TEMPLATE = rf"(?P<line> {_LINE} ) | (?! {_PLACEHOLDER} )"
# Compiled when they are first needed, since most deploys read no text.
_PLAIN, _TEMPLATE = _TOKEN % ("", ""), _TOKEN % (_IN_TEMPLATE, f"| {_PLACEHOLDER}")
_FLAGS = re.VERBOSE | re.DOTALL
_ESCAPED = r"""\\(["'\\trn])"""
_MARKS: dict[str, Kind] = {";": ";", "{": "{", "}": "}"}
_MEANT = {"t": "\t", "r": "\r", "n": "\n"}
_LUA = r"""\[(?P<level>=*)\[.*?(?:\](?P=level)\]|\Z) | --\[(?P<of>=*)\[.*?(?:\](?P=of)\]|\Z) | --[^\n]*
    | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' | (?P<brace>[{}])"""


class Token(Struct, frozen=True):
    """A token: its kind, what a word means without quotes and escapes, and where it stands in the text."""

    kind: Kind
    value: str
    start: int
    end: int


def tokens(text: str, template: bool = False) -> Iterator[Token]:
    """
    Yield the tokens of a text. Never raises, whatever the text is.

    In a template a placeholder is a part of a word, or a token of kind "line" where it stands for whole directives.
    """
    first: str | None = None  # the first word of the directive
    usual, plain = re.compile(_TEMPLATE if template else _PLAIN, _FLAGS), re.compile(_PLAIN, _FLAGS)
    position, pattern = 0, usual
    while found := pattern.match(text, position):
        kind, position = found.lastgroup, found.end()
        value = found[kind] if kind else ""
        start = found.start(kind) if kind else position
        if kind == "comment":
            yield Token("comment", value, start, position)
        elif kind == "line":
            yield Token("line", value, start, position)
            first = None
        elif kind == "mark":
            yield Token(_MARKS[value], value, start, position)
            if value == "{" and (first or "").endswith(LUA):
                position = _end_of_lua(text, position)
            first, pattern = None, usual
        else:
            yield Token("word", _meaning(value), start if kind == "bare" else start - 1, position)
            if first is None and (first := _meaning(value)).endswith(LUA):
                pattern = plain


def _end_of_lua(text: str, start: int) -> int:
    """Return where the brace stands that closes a block of Lua."""
    depth = 1
    for piece in re.compile(_LUA, _FLAGS).finditer(text, start):
        depth += {"{": 1, "}": -1}.get(piece["brace"] or "", 0)
        if depth == 0:
            return piece.start()
    return len(text)


def _meaning(word: str) -> str:
    if "\\" not in word:
        return word
    return re.sub(_ESCAPED, lambda escape: _MEANT.get(escape[1], escape[1]), word)
