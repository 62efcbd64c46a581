"""Why an instance did not become healthy, in words for somebody who was not there."""

from __future__ import annotations

import errno
import os
import signal

from zdd.errors import ProgramFailed
from zdd.host import files

_SHOWN_LINES = 20


class InstanceFailed(ProgramFailed):
    """An instance did not become healthy."""


def last_words(log: str) -> list[str]:
    """Return the last lines that an app has printed, without those that zdd has put among them."""
    return [line for line in files.tail(log, 2 * _SHOWN_LINES) if not line.startswith("zdd: ")]


def why_ended(status: int) -> str | None:
    """Say what is behind it most of the time that an app ends so before it is healthy."""
    if status == -signal.SIGKILL:
        return "zdd did not kill it: when the kernel did, for lack of memory, `dmesg` or `journalctl -k` says so"
    if status == 0:
        return "run must keep the app in the foreground: no daemon mode, no & (what it left running was stopped)"
    return None


def why_never_ran(how: str, program: str, path: str, user: str | None) -> str | None:
    """Say what to look for when the user could not run this program; `path` is the PATH that it was looked for in."""
    if how.endswith(os.strerror(errno.EACCES)):
        reach = f"user {user} must be able to pass every folder on the way there" if user else ""
        executable = "" if how.startswith("cannot enter") else "it must be executable (chmod +x)"
        return "; ".join(filter(None, [executable, reach])) or None
    if how.endswith(os.strerror(errno.ENOENT)) and "/" not in program:
        return f"it is in none of PATH's folders ({path}); one of the release is named with a /: .venv/bin/{program}"
    return None
