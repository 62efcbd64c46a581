"""Text of apps, visitors and other users, made safe for a terminal."""

from __future__ import annotations

import re

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
# Control characters but for tab and line feed; what changes the direction of writing; what has no shape; halves of
# characters. The two joiners have a meaning between letters of other scripts and in emojis: they stay there.
_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    r"\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
    r"|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)


def visible(text: str) -> str:
    r"""
    Return the text with its control characters, and those that nobody sees, as escapes: a terminal only shows it.

    Colours are left out.

    >>> visible("\x1b[31mred\x1b[0m, a title: \x1b]0;x\x07")
    'red, a title: \\x1b]0;x\\x07'
    """
    if not _UNSAFE.search(text):
        return text
    return _UNSAFE.sub(lambda found: _escape(ord(found[0])), _COLOUR.sub("", text))


def in_json(value: object) -> str:
    r"""
    Return the value as JSON of one line in which the same characters are escapes; programs read what it was.

    >>> in_json({"title": "\x9b31m, \u202eevil"})
    '{"title":"\\u009b31m, \\u202eevil"}'
    """
    import msgspec  # here, because `--version` and `--help` print none

    return _UNSAFE.sub(lambda found: _as_json(found[0]), msgspec.json.encode(value).decode())


def in_toml(text: str) -> str:
    """Return a text of TOML with these characters as escapes, which mean the same."""
    return _UNSAFE.sub(lambda found: _as_toml(ord(found[0])), text)


def _escape(number: int) -> str:
    return f"\\x{number:02x}" if number < 0x100 else _as_toml(number)


def _as_toml(number: int) -> str:
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _as_json(character: str) -> str:
    halves = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{halves[begin : begin + 4]}" for begin in range(0, len(halves), 4))
