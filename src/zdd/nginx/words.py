"""The two words of a project's mark, kept in S/gate."""

from __future__ import annotations

import os
import re

from zdd import digest
from zdd.host import files
from zdd.layout import Layout
from zdd.nginx.config.mark import Mark

_NAME_DIGITS = 12
_BYTES = 16  # of a word: longer ones do not fit into nginx's map_hash_bucket_size


def mark_of(paths: Layout) -> Mark:
    """Return the project's mark; a project that has none yet gets a new one, which `keep` writes."""
    text = files.read(paths.gate, "replace") or ""
    if not re.fullmatch(r"[0-9a-f]{32} [0-9a-f]{32}\n", text):
        text = f"{os.urandom(_BYTES).hex()} {os.urandom(_BYTES).hex()}\n"
    secret, word = text.split()
    return Mark(digest.of(os.fsencode(paths.runtime), _NAME_DIGITS), secret, word)


def keep(paths: Layout, mark: Mark) -> None:
    """Write the words, so that every later command has the same mark; only their owner may read them."""
    text = f"{mark.secret} {mark.word}\n"
    if files.read(paths.gate, "replace") != text:
        files.write(paths.gate, text, mode=0o600)
