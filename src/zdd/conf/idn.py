"""Names with letters beyond ASCII, as browsers ask for them; loaded only when there is one."""

from __future__ import annotations

import re
import unicodedata
from encodings import idna

from zdd.conf.hosts import Mistake

_DOTS = re.compile("[.\u3002\uff0e\uff61]")
# Sharp s and final sigma: browsers keep them (IDNA2008), Python's codec does not (IDNA2003). The two are different
# names, which may belong to different people. And what joins letters is in a name for one and not for the other.
_TWO_WAYS = re.compile("[\u00df\u1e9e\u03c2]|[\u200c\u200d]")


def to_ascii(name: str) -> str:
    """Return the name with each label that needs it in punycode. Raises Mistake."""
    labels = [
        unicodedata.normalize("NFC", label.lower() if not label.isascii() else label) for label in _DOTS.split(name)
    ]
    if found := _TWO_WAYS.search(name):
        letter = found[0] if found[0].isprintable() else f"U+{ord(found[0]):04X}"
        why = f"a name with {letter} can be spelled in two ways, so write the punycode that is registered"
        raise Mistake(why, ".".join(map(_kept, labels)) if letter == found[0] else None)
    return ".".join(label if label.isascii() else _label(label) for label in labels)


def _label(label: str) -> str:
    try:
        encoded = idna.ToASCII(label).decode("ascii")
    except UnicodeError:
        encoded = ""
    if not re.fullmatch("[A-Za-z0-9_-]{1,63}", encoded):  # a fullwidth slash, for one, becomes a slash
        raise Mistake(f"{label} cannot be part of a name")
    return encoded


def _kept(label: str) -> str:
    """Return the label as browsers have it."""
    return label if label.isascii() else f"xn--{label.encode('punycode').decode('ascii')}"
