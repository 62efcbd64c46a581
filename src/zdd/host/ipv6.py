"""Whether this machine speaks IPv6."""

from __future__ import annotations

from zdd.host import files
from zdd.host.light import socket

_ADDRESSES = "/proc/self/net/if_inet6"  # not below /proc/net, which ProcSubset=pid hides


def is_there() -> bool | None:
    """
    Return whether an interface of ours has an IPv6 address, be it that of the loopback alone; None if we cannot tell.

    With ipv6.disable=1 the kernel has neither the file nor such sockets; with net.ipv6.conf.all.disable_ipv6=1 it has
    both, but the file is empty. If there is one of them alone, something hides the other one from this process, as
    RestrictAddressFamilies= in a unit hides sockets: nginx, which runs elsewhere, may well have it.
    """
    try:
        addresses = files.read(_ADDRESSES)
    except OSError:
        return None
    if addresses == "":
        return False
    has_file = addresses is not None
    return has_file if _has_sockets() == has_file else None


def _has_sockets() -> bool:
    try:
        with socket.socket(socket.AF_INET6):
            return True
    except OSError:
        return False
