"""
Duplicates of the sockets that the app has made itself, so that connections in their queues outlive the app.

They are held only while the app ends: otherwise no connection would be refused when the app closes its socket.
"""

from __future__ import annotations

import os

from zdd.host import process, sock_diag
from zdd.host.duplicate import duplicate
from zdd.host.light import socket
from zdd.host.process import Opened, Process


def duplicates(inodes: set[int]) -> list[socket.socket]:
    """Duplicate the sockets with these inodes that processes of the app have, as far as the kernel lets us."""
    wanted, made = set(inodes), []
    for pid in process.descendants(os.getpid()) if wanted else ():
        for inode, number in sock_diag.socket_descriptors(pid):
            if inode in wanted and (fresh := _duplicate(pid, number)):
                if os.fstat(fresh.fileno()).st_ino == inode:  # else the app has just put something else there
                    wanted.discard(inode)
                    made.append(fresh)
                else:
                    fresh.close()
    return made


def _duplicate(pid: int, number: int) -> socket.socket | None:
    found = Process.find(pid)
    if found is None:
        return None
    try:
        with Opened(found) as pidfd:
            return None if pidfd is None else socket.socket(fileno=duplicate(pidfd, number))
    except (OSError, ImportError):  # ImportError: ctypes is gone
        return None
