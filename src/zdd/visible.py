"""Text of apps, visitors and other users, made safe for a terminal."""

from __future__ import annotations

import re

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
# Control characters but for tab and line feed; what changes the direction of writing; halves of characters.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""
    Return the text with its control characters as escapes, so that it can do nothing to a terminal.

    Colours are left out.

    >>> visible("\x1b[31mred\x1b[0m, a title: \x1b]0;x\x07")
    'red, a title: \\x1b]0;x\\x07'
    """
    if not _UNSAFE.search(text):
        return text
    return _UNSAFE.sub(lambda found: _escape(found[0]), _COLOUR.sub("", text))


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"
