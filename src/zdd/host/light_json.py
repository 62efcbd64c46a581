"""
JSON for keepers: the C part of `json`, without the regular expressions of its Python part.

`json` itself is used where a Python has another C part than those that are known.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WHITE = " \t\n\r"


class _Usual:
    """How `json.loads` reads by default."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float, parse_int = float, int
    parse_constant = {"-Infinity": -float("inf"), "Infinity": float("inf"), "NaN": float("nan")}.__getitem__


def _encoder() -> Any:
    def unknown(value: object) -> object:
        raise TypeError(f"{type(value).__name__} is not a type of JSON")

    return _json.make_encoder({}, unknown, _json.encode_basestring_ascii, None, ": ", ", ", False, False, True)


def loads(text: str | bytes) -> Any:
    """Return the value. Raises ValueError for what is no JSON in UTF-8, RecursionError for what is too deep."""
    if isinstance(text, bytes):
        text = text.decode()
    begin = len(text) - len(text.lstrip(_WHITE))
    try:
        value, end = _scan(text, begin)
    # C reports an error by a class of `json.decoder`, which is not loaded: 3.11 does not load it, later ones may fail.
    except (StopIteration, SystemError, ImportError):
        raise ValueError("no JSON") from None
    if text[end:].strip(_WHITE):
        raise ValueError("more than one value")
    return value


def dumps(value: object) -> str:
    """Return the value as JSON of one line in ASCII. Raises TypeError, and ValueError for a circle."""
    return "".join(_encoder()(value, 0))


try:
    import _json

    _scan = _json.make_scanner(_Usual)  # type: ignore[arg-type]  # C reads its attributes
    if loads(dumps([None, {"a": 1.5}, "\n"])) != [None, {"a": 1.5}, "\n"]:
        raise ValueError("another JSON")
except (ImportError, AttributeError, TypeError, ValueError):
    from json import dumps, loads  # type: ignore[assignment]
