"""What a test needs on a machine that is busy with others, and that stands still for some seconds where it likes."""

from __future__ import annotations

import os
import random
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def patiently(attempt: Callable[[float], None], *seconds: float) -> None:
    """Make an attempt that takes these seconds, and only where it fails another one that takes more."""
    for given in seconds[:-1]:
        with suppress(AssertionError):
            attempt(given)
            return
    attempt(seconds[-1])


_TOGETHER, _KEPT = 16, 16  # ports of a claim; claims of this process, which opens a descriptor for each
_claims: deque[int] = deque()
_free: list[int] = []


def free_port() -> int:
    """
    A port that nobody has, and that the kernel gives nobody by itself.

    No other run of tests on this machine is given it: in a run of a few thousand tests, two would meet at a port that
    one was given and does not listen on yet. This process is given it again after two hundred others at the earliest.
    """
    while True:
        port = _free.pop() if _free else _claim()
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def _claim() -> int:
    """Claim some ports that belong together for this process, until it ends; return one of them."""
    end = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        first = random.randrange(end // 2, end - _TOGETHER, _TOGETHER)
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0zdd-ports-of-tests-{first}")
        except OSError:  # another one has them
            claim.close()
            continue
        _claims.append(claim.detach())
        if len(_claims) > _KEPT:
            os.close(_claims.popleft())
        _free.extend(range(first + 1, first + _TOGETHER))
        return first


def has_read(reader: tuple[str, int], writer: tuple[str, int]) -> bool:
    """Tell whether the process at this end of a TCP connection has read all that came from the other one."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, _, _, _, _, inode, *_ = line.split()
        if (local, remote) == (_named(reader), _named(writer)):
            return queues.endswith(":00000000") and inode != "0"  # one that nobody has accepted has no inode
    return False


def _named(address: tuple[str, int]) -> str:
    host, port = address
    return f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{port:04X}"
