"""Which process holds the port that nginx cannot bind."""

from __future__ import annotations

import re

from zdd.host import process, sock_diag
from zdd.nginx.process import running


def hint(complaint: str) -> str | None:
    """Return a hint for nginx's error if zdd knows more than nginx; else None."""
    match = re.search(r"bind\(\) to \S*:(\d+) failed \((\d+):", complaint)
    if not match:
        return None
    port, error = int(match[1]), int(match[2])
    if error == 13:  # EACCES
        return (
            f"only root may listen on port {port} (sysctl net.ipv4.ip_unprivileged_port_start says from which on not)"
        )
    if error != 98:  # EADDRINUSE
        return None
    if orphans := running.orphans({port}):
        pids = " ".join(str(worker.pid) for worker in orphans)
        return f"port {port} is still served by workers whose nginx master is gone: end them with `kill -QUIT {pids}`"
    pid = listener(port)
    if pid is None:
        return f"port {port} is taken by another user's process: `sudo ss -ltnp 'sport = :{port}'` shows which"
    return f"port {port} is taken by process {pid}: {process.title(pid)[:100]}"


def listener(port: int) -> int | None:
    """Return the lowest process that listens on the TCP port; None if none is visible (other users' are not)."""
    return holder({listening.inode for listening in sock_diag.listening_on(port)})


def holder(sockets: set[int]) -> int | None:
    """Return the lowest process that has one of these sockets (their inodes) open; None if none is visible."""
    pids = sorted(process.parents()) if sockets else []
    return next((pid for pid in pids if any(inode in sockets for inode, _ in sock_diag.socket_descriptors(pid))), None)
