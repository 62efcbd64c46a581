"""
Take over from workers whose master was killed: they still serve, but a new master could not bind their ports.

zdd duplicates their listening sockets (pidfd_getfd(2)) and passes them to a new nginx as nginx passes them to itself in
an upgrade: in the variable NGINX. Connections that are not yet accepted stay in the socket, so none is lost.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from zdd.host import low_ports, sock_diag
from zdd.host.duplicate import duplicate
from zdd.host.process import Opened, Process
from zdd.nginx.process.complaints import ProxyError

_KILLED = "nginx's master process was killed, and its workers' sockets cannot be taken over"
_ENABLE = "the workers serve on; `sudo zddeploy enable` starts the unit that may take over from them"


def listeners(workers: list[Process], ports: set[int]) -> list[int]:
    """
    Return a duplicate of each socket that these workers listen on; the caller closes them.

    Raises ProxyError if the kernel forbids it: the workers are another user's, or ptrace is restricted.
    """
    wanted = {listener.inode for port in ports for listener in sock_diag.listening_on(port)}
    duplicates: dict[int, int] = {}  # inode -> our descriptor
    if workers and os.geteuid() != 0 and not low_ports.may_bind() and low_ports.may_bind(workers[0].pid):
        first = low_ports.first_free()
        raise ProxyError(f"{_KILLED}: they may listen below port {first}, and we may not", hint=_ENABLE)
    for worker in workers:
        with Opened(worker) as pidfd:
            for inode, number in sock_diag.socket_descriptors(worker.pid) if pidfd is not None else ():
                if inode in wanted and inode not in duplicates:
                    duplicates[inode] = _duplicate(worker, pidfd or 0, number)
    return list(duplicates.values())


def environment(descriptors: Sequence[int]) -> dict[str, str]:
    """Return the variable that tells nginx which sockets it inherits."""
    return {"NGINX": "".join(f"{descriptor};" for descriptor in descriptors)} if descriptors else {}


def _duplicate(worker: Process, pidfd: int, number: int) -> int:
    try:
        return duplicate(pidfd, number)
    except OSError as error:
        raise ProxyError(
            f"{_KILLED}: {error.strerror}",
            hint=f"the workers serve on; end them and deploy again: kill -QUIT {worker.pid}; zddeploy",
        ) from error
