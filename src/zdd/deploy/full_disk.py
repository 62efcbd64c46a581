"""A disk without room: which one, and how to see it."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence


def hint(error: OSError, folders: Sequence[str]) -> str | None:
    """Return on whose disk no room is left, of these folders; None for another error."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return None
    named = [folder for folder in folders if _is_full(folder)] or folders  # a quota shows in no numbers
    return f"make room on the disk of {' or '.join(named)}: `df -h` and `df -i` show what is left"


def _is_full(folder: str) -> bool:
    try:
        disk = os.statvfs(folder)
    except OSError:
        return False
    return not disk.f_bavail or (not disk.f_favail and disk.f_files > 0)
