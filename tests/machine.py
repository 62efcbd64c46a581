"""What a test needs on a machine that is busy with others, and that stands still for some seconds where it likes."""

from __future__ import annotations

import random
import socket
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


_given: set[int] = set()  # nobody may listen on them yet


def free_port() -> int:
    """A port that nobody has, that this process was not given before, and that the kernel gives nobody by itself."""
    first_given = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(first_given // 2, first_given)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            if port not in _given:
                _given.add(port)
                return port


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
