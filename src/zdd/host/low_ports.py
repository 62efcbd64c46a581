"""
The right to listen below port 1024: root has it, and processes with CAP_NET_BIND_SERVICE (capabilities(7)).

The unit that `enable` writes gives it to an ordinary user's zddeploy as an ambient capability, which every child would
inherit. Only nginx may: an app must get no right by being started at boot.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from zdd.host import files, proc
from zdd.host.own_process import prctl

NAME = "CAP_NET_BIND_SERVICE"

_NUMBER = 10
_PR_CAP_AMBIENT, _RAISE, _CLEAR_ALL = 47, 2, 4
_FIRST = "/proc/sys/net/ipv4/ip_unprivileged_port_start"


def first_free() -> int:
    """Return the first port that everybody may listen on."""
    return files.read_number(_FIRST) or 0


def may_bind(pid: int | str = "self") -> bool:
    """Return whether a process may listen below that port."""
    return _has("CapEff", pid)


def keep_to_ourselves() -> None:
    """Make programs that we start from now on inherit no capability; `passed_on` makes the exception."""
    if os.geteuid() != 0 and _has("CapAmb"):
        prctl(_PR_CAP_AMBIENT, _CLEAR_ALL)


@contextlib.contextmanager
def passed_on() -> Iterator[None]:
    """Make a program that is started meanwhile inherit the right, if it is ours."""
    passes = os.geteuid() != 0 and may_bind() and prctl(_PR_CAP_AMBIENT, _RAISE, _NUMBER)
    try:
        yield
    finally:
        if passes:
            prctl(_PR_CAP_AMBIENT, _CLEAR_ALL)


def _has(which: str, pid: int | str = "self") -> bool:
    for line in proc.read(f"/proc/{pid}/status").decode(errors="replace").splitlines():
        if line.startswith(f"{which}:"):
            return bool(int(line.split()[1], 16) >> _NUMBER & 1)
    return False
