"""Texts that strangers might write: valid ones with something wrong in them, so that they pass the first checks."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

NUMBERS = ["0", "-1", "-0", "+1", "1_0", "007", "1.5", "1e999", "-1e400", "NaN", "Infinity", "inf", "0x10", " 1"]
HUGE = ["9" * 20, "4294967296", "2147483648", "9" * 400, "9" * 5000, "-" + "9" * 5000]
DIGITS = ["\xb2", "1\xb2", "\u0661\u0662", "\uff11", "\u2460"]  # each is a digit or a number to Python
CONTROLS = ["\0", "\x1b[2J", "\r", "\r\n", "\n", "\n\n", "\t", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]
LETTERS = ["\xe9", "\u0130", "\xdf", "\u202e", "\ufeff", "\U0001f600", "a\u0301", "\ufffd"]
SIGNS = [*"\"'\\{}[]()<>=:;,#%$&*?!|~^/.-_ @", "=", '"""', "'''", "..", "../..", "//", "[[", "]]", "${", "%(", "%%"]
LONG = ["a" * 300, "a" * 70_000, "a." * 2000, "../" * 3000, " " * 5000, "%(x)s" * 50, "[" * 3000, '{"a":' * 3000]
WORDS = ["true", "null", "none", "None", "''", '""', "[]", "{}", "2024-01-01", "12:00:00", "-", "~x(", "a b", "a\tb"]
ODD = [*NUMBERS, *HUGE, *DIGITS, *CONTROLS, *LETTERS, *SIGNS, *LONG, *WORDS, ""]
ODD_BYTES = [b"\xe9", b"\xff", b"\xfe\xff", b"\xed\xa0\x80", b"\xc3", b"\x00", b"\xef\xbb\xbf", b"\x80" * 40]

odd = st.one_of(st.sampled_from(ODD), st.text(max_size=20), st.integers().map(str))
_odd_bytes = st.one_of(st.sampled_from(ODD_BYTES), odd.map(lambda text: text.encode("utf-8", "replace")))
_Change = Callable[[bytes], bytes]


def mutated(valid: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Return one of these texts with up to four changes."""
    return st.builds(_changed, st.sampled_from(valid), st.lists(_changes, max_size=4))


def _changed(text: bytes, changes: list[_Change]) -> bytes:
    for change in changes:
        text = change(text)
    return text


def _replaced(text: bytes, where: float, value: bytes) -> bytes:
    """Replace the value in one line."""
    lines = text.split(b"\n")
    number = int(where * (len(lines) - 1))
    for sign in (b"=", b":", b" "):
        if sign in lines[number]:
            key, sign, _ = lines[number].partition(sign)
            lines[number] = key + sign + value
            break
    return b"\n".join(lines)


def _inserted(text: bytes, where: float, value: bytes) -> bytes:
    at = int(where * len(text))
    return text[:at] + value + text[at:]


def _cut(text: bytes, where: float, most: int) -> bytes:
    at = int(where * len(text))
    return text[:at] + text[at + most :]


def _repeated(text: bytes, where: float, times: int) -> bytes:
    lines = text.split(b"\n")
    number = int(where * (len(lines) - 1))
    return b"\n".join([*lines[:number], *[lines[number]] * times, *lines[number + 1 :]])


def _swapped(text: bytes, where: float, other: float) -> bytes:
    lines = text.split(b"\n")
    one, two = (int(place * (len(lines) - 1)) for place in (where, other))
    lines[one], lines[two] = lines[two], lines[one]
    return b"\n".join(lines)


_places = st.floats(0, 1)
_changes: st.SearchStrategy[_Change] = st.one_of(
    st.builds(lambda where, value: lambda text: _replaced(text, where, value), _places, _odd_bytes),
    st.builds(lambda where, value: lambda text: _replaced(text, where, b'"' + value + b'"'), _places, _odd_bytes),
    st.builds(lambda where, value: lambda text: _inserted(text, where, value), _places, _odd_bytes),
    st.builds(lambda where, value: lambda text: _inserted(text, where, b"\n" + value + b"\n"), _places, _odd_bytes),
    st.builds(lambda where, most: lambda text: _cut(text, where, most), _places, st.integers(1, 60)),
    st.builds(lambda where, times: lambda text: _repeated(text, where, times), _places, st.sampled_from([2, 3, 300])),
    st.builds(lambda where, other: lambda text: _swapped(text, where, other), _places, _places),
    st.sampled_from(
        [
            lambda text: text.replace(b"\n", b"\r\n"),
            lambda text: text.replace(b"\n", b"\r"),
            lambda text: b"\xef\xbb\xbf" + text,
            lambda text: text.rstrip(b"\n"),
            lambda text: text.decode("utf-8", "replace").encode("utf-16"),
            lambda text: text + text,
            lambda text: b"",
        ]
    ),
)

_DEEP: Any = None
for _ in range(200):
    _DEEP = [_DEEP]
VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**32, 2**63, 2**64, 10**400, -(10**400), 1.5, 1e308, -1e308),
    *(float("nan"), float("inf"), "", "a", "1", "\xb2", "9" * 5000, "\0", "\ud800", "\x1b[31m", "a\nb", "a\u2028b"),
    *("../..", "/", "a" * 5000, [], {}, [[]], {"": None}, [1, 2], [1, "a"], {"a": {"a": 1}}, _DEEP),
]
values: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(VALUES),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
        max_leaves=6,
    ),
)


def json_like(valid: Sequence[Any]) -> st.SearchStrategy[Any]:
    """Return one of these values with up to three of its parts, at any depth, replaced, removed or added."""
    change = st.tuples(st.lists(st.integers(0, 30), max_size=4), st.sampled_from(["replace", "remove", "add"]), values)
    return st.builds(_altered, st.sampled_from(valid), st.lists(change, max_size=3))


def json_texts(valid: Sequence[Any]) -> st.SearchStrategy[bytes]:
    """Return the JSON of one of these values, altered as a value, as a text, or as both."""
    whole = json_like(valid).map(_encoded)
    return st.one_of(whole, mutated([_encoded(value) for value in valid]), st.builds(_changed, whole, _some_changes))


_some_changes = st.lists(_changes, min_size=1, max_size=2)


def _encoded(value: Any) -> bytes:
    try:
        return json.dumps(value).encode()
    except ValueError:  # a number of more digits than Python writes
        return b"{}"


def _altered(value: Any, changes: list[tuple[list[int], str, Any]]) -> Any:
    for path, kind, new in changes:
        value = _at(value, path, kind, new)
    return value


def _at(value: Any, path: list[int], kind: str, new: Any) -> Any:
    """Return a copy of the value that is changed at the path: each number chooses one of the parts."""
    parts = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not path or not parts:
        return new if kind == "replace" else value
    chosen = parts[path[0] % len(parts)]
    if len(path) == 1 and kind == "remove":
        kept = [part for part in parts if part != chosen]
        return {part: value[part] for part in kept} if isinstance(value, dict) else [value[part] for part in kept]
    if len(path) == 1 and kind == "add":
        return {**value, str(path[0]): new} if isinstance(value, dict) else [*value, new]
    changed = _at(value[chosen], path[1:], kind, new)
    if isinstance(value, dict):
        return {part: changed if part == chosen else value[part] for part in parts}
    return [changed if part == chosen else value[part] for part in parts]
