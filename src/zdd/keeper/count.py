"""Who is still connected: exact counts, wherever nginx runs."""

from __future__ import annotations

import os

from zdd.host import files, sock_diag


def to_socket(file: tuple[int, int] | None, name: str, nginx_pid_file: str | None) -> int:
    """
    Count the connections to a UNIX socket: `file` is its (device, inode), `name` what it was bound to.

    A connection is in the network namespace of the process that connected. By inode only our own is seen, so nginx's is
    searched for the name when it has another, or may have: it is another user's, or its pid file is stale.
    """
    by_inode = sock_diag.connections_to(file)
    if by_inode is None:  # nobody listens any more, yet what was accepted is still served
        by_inode = sock_diag.connections_by_name(name, os.getpid())
    nginx = files.read_number(nginx_pid_file) if nginx_pid_file else None
    if nginx is None or _namespace(nginx) == _namespace(os.getpid()):
        return by_inode
    return max(by_inode, sock_diag.connections_by_name(name, nginx))


def to_port(port: int) -> int:
    """Count the connections to a local port."""
    return sock_diag.connections_to_port(port)


def _namespace(pid: int) -> str | None:
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return None
