"""
The kernel's tables of TCP sockets as text, /proc/self/net/tcp and tcp6 (proc_pid_net(5)), for where netlink is refused.

A unit without AF_NETLINK in RestrictAddressFamilies= still has them, and so has a container.
"""

from __future__ import annotations

from zdd.host import proc, sock_diag
from zdd.host.netlink import Unavailable

_LISTENS = b"0A"  # TCP_LISTEN
_LOCAL, _STATE, _USER, _INODE = 1, 3, 7, 9  # fields of a line


def listening_on(port: int) -> list[tuple[int, int]]:
    """Return the sockets that listen on a TCP port, as (inode, user)."""
    try:
        return [(listener.inode, listener.uid) for listener in sock_diag.listening_on(port)]
    except Unavailable:
        lines = (line.split() for table in ("tcp", "tcp6") for line in _lines(table))
        wanted = f":{port:04X}".encode()
        listeners = (line for line in lines if line[_STATE] == _LISTENS and line[_LOCAL].endswith(wanted))
        return [(int(line[_INODE]), int(line[_USER])) for line in listeners]


def _lines(table: str) -> list[bytes]:
    """Return the lines of a table without its heading; none of tcp6 where the kernel has no IPv6."""
    return proc.read(f"/proc/self/net/{table}").splitlines()[1:]
