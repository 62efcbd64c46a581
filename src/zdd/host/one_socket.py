"""
What the kernel says of one UNIX socket, found by its own inode (sock_diag(7)).

Unlike counts by file, which need a list of all sockets of the machine, this costs the same however many there are.
"""

from __future__ import annotations

import errno
import struct

from zdd.host import netlink
from zdd.host.light import socket

_SHOW_PEER, _SHOW_QUEUE = 0x04, 0x10  # UDIAG_SHOW_PEER, UDIAG_SHOW_RQLEN
_PEER, _RQLEN = 2, 4
_ANY = 0xFFFFFFFF


def queued(inode: int) -> int:
    """Count the connections in the accept queue of this socket; 0 if it is not in our network namespace."""
    return _number(inode, _SHOW_QUEUE, _RQLEN) or 0


def is_accepted(inode: int) -> bool | None:
    """
    Return whether the other end of this connected socket was accepted; None if the socket is not there any more.

    Until then, and once it is closed, the other end has no inode.
    """
    peer = _number(inode, _SHOW_PEER, _PEER)
    return None if peer is None else peer != 0


def _number(inode: int, show: int, wanted: int) -> int | None:
    """Return the first number in this attribute of the socket; None if there is none. Raises Unavailable."""
    request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, _ANY, inode, show, _ANY, _ANY)
    with netlink.connect() as kernel:
        netlink.send(kernel, request, netlink.NLM_F_REQUEST)
        answer = kernel.recv(65536)
    length, kind = struct.unpack_from("=IH", answer)
    if kind == netlink.NLMSG_ERROR:
        code = -struct.unpack_from("=i", answer, 16)[0]
        if code == errno.ENOENT:
            return None
        raise netlink.Unavailable(code)
    values = (value for kind, value in netlink.attributes(answer[16:length], 16) if kind == wanted)
    return next((int(struct.unpack_from("=I", value)[0]) for value in values), None)
