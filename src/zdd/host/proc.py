"""The files of /proc, as the kernel gives them."""

from __future__ import annotations

import errno
import os

# That one of a process that is just ending cannot be opened: its mounts, for one, are gone before itself (EINVAL).
_NOTHING = (errno.ENOENT, errno.ESRCH, errno.EINVAL, errno.EACCES, errno.EPERM)
_PART, _LONGEST = 1 << 15, 16 << 20  # bytes; a process can let its command line seem endless (PR_SET_MM)


def read(path: str) -> bytes:
    """
    Read a file of /proc; return nothing if the process has ended or we may not read it.

    It is read without a file object, which would cost three times as much: a look at all processes reads thousands.
    """
    parts, size = list[bytes](), 0
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError as error:
        if error.errno not in _NOTHING:
            raise
        return b""
    try:
        while size < _LONGEST and (part := os.read(fd, _PART)):
            parts.append(part)
            size += len(part)
    except (ProcessLookupError, PermissionError):
        return b""
    finally:
        os.close(fd)
    return b"".join(parts)
