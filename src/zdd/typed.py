"""Typed JSON that may be damaged, or that somebody else has written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class Damaged(ValueError):  # noqa: N818 -- what the text is
    """The text is no JSON, or not of the wanted type; the message says why."""


def decode(text: str | bytes, kind: type[T], hook: Callable[[type, Any], Any] | None = None) -> T:
    """Return the value of this type in the text; `hook` makes types that msgspec does not know. Raises Damaged."""
    try:
        return msgspec.json.decode(text, type=kind, dec_hook=hook)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Damaged(str(error)) from error
