"""
SHA-256 for short texts, without OpenSSL, which takes 2 ms to load: `random` of the standard library does the same.

OpenSSL's is five times as fast: use hashlib for whole files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import sha256
else:
    try:
        from _sha2 import sha256  # since Python 3.12
    except ImportError:
        try:
            from _sha256 import sha256
        except ImportError:  # a Python that is built without it
            from hashlib import sha256


def of(text: bytes, digits: int = 64) -> str:
    """Return the first digits, in hexadecimal, of the text's SHA-256."""
    return sha256(text).hexdigest()[:digits]
