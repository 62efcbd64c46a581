"""Whether this machine speaks IPv6."""

from __future__ import annotations

import socket

from zdd.host import files

_ADDRESSES = "/proc/net/if_inet6"


def is_there() -> bool:
    """
    Return whether an interface of ours has an IPv6 address, be it that of the loopback alone.

    With ipv6.disable=1 the kernel has neither the file nor such sockets; with net.ipv6.conf.all.disable_ipv6=1 it has
    both, but the file is empty. A seccomp filter may forbid the sockets alone.
    """
    try:
        if not files.read(_ADDRESSES):
            return False
        with socket.socket(socket.AF_INET6):
            return True
    except OSError:
        return False
