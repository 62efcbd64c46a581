"""The regular expressions that users write in nginx's text, of names and paths."""

from __future__ import annotations

import re
import warnings

_LONGEST = 500  # what is longer may take long


def matches(pattern: str, text: str, ignore_case: bool) -> bool | None:
    r"""
    Return whether the text matches as nginx would say; None where Python cannot tell what PCRE means.

    >>> matches(r"\.php$", "/x.PHP", ignore_case=True), matches("(?<year>[0-9]+)", "/", ignore_case=False)
    (True, False)
    >>> matches("(?|a|b)", "a", ignore_case=False) is None
    True
    """
    if len(pattern) > _LONGEST:
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            return re.search(_as_python(pattern), text, re.IGNORECASE if ignore_case else 0) is not None
    except (re.error, OverflowError, RecursionError):
        return None


def _as_python(pattern: str) -> str:
    r"""Return the pattern as Python writes it: (?P<name>...) for named groups, \Z for the very end."""
    named = re.sub(r"\(\?<(?![=!])", "(?P<", pattern)
    return named.replace(r"\z", r"\Z")
