"""What had to be killed since it did not stop in time: one JSON object a line, for `status` and `history`."""

from __future__ import annotations

import os
import time

from zdd.host import files
from zdd.host import light_json as json

_MOST = 1 << 20  # bytes; an app that hangs again and again must not fill the disk


def note(path: str, instance: str, service: str, *, is_whole: bool, limit: str, after: float) -> None:
    """
    Write to this file that the instance's app, or only what was left of its processes, is killed.

    `limit` is the time that it had to stop, in words, and `after` the same in seconds.
    """
    kill = {
        "instance": instance,
        "service": service,
        "at": time.time(),
        "is_whole": is_whole,
        "limit": limit,
        "after": after,
    }
    try:
        if path:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
            with files.Opened(path, flags, 0o640) as fd:
                if os.fstat(fd).st_size < _MOST:
                    os.write(fd, json.dumps(kill).encode() + b"\n")
    except OSError:  # a full disk must not keep what hangs alive
        pass


def words(is_whole: bool, limit: str) -> str:
    """Return the line for the log."""
    return f"{'the app' if is_whole else 'what is left of the app'} is killed: it has not stopped within {limit}"


def stop_timeout(seconds: float) -> str:
    """Return the limit of a stop in words."""
    return f"stop_timeout ({seconds:g} s)"
