"""Messages of netlink(7) by which the kernel lists sockets (sock_diag(7)); no privileges are needed."""

from __future__ import annotations

import errno
import os
import struct

from zdd.host.light import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20
NLM_F_REQUEST, _NLM_F_DUMP = 0x1, 0x301
NLMSG_ERROR, _NLMSG_DONE = 2, 3
_HEADER = struct.Struct("=IH")  # of a message: its length, its kind


class Unavailable(OSError):  # noqa: N818 -- reads as what happened
    """The kernel does not show sockets to us; `cure` says what to change."""

    def __init__(self, number: int) -> None:
        super().__init__(number, f"the kernel does not show sockets here (sock_diag: {os.strerror(number)})")
        self.cure = _FORBIDDEN if number in (errno.EAFNOSUPPORT, errno.EPERM, errno.EACCES) else _MISSING


_FORBIDDEN = (
    "allow netlink: add AF_NETLINK to RestrictAddressFamilies= of the unit, or to the container's seccomp profile"
)
_MISSING = "load what the kernel lacks, and at every boot: sudo modprobe unix_diag tcp_diag"


def connect() -> socket.socket:
    """Return a socket to the kernel. Raises Unavailable."""
    try:
        return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)
    except OSError as error:
        raise Unavailable(error.errno or 0) from error


def send(kernel: socket.socket, request: bytes, flags: int) -> None:
    """Send a request for sockets, with the header of its message."""
    kernel.send(struct.pack("=IHHII", 16 + len(request), _SOCK_DIAG_BY_FAMILY, flags, 1, 0) + request)


def dump(request: bytes, wanted: bytes = b"") -> Iterator[bytes]:
    """
    Yield the payload of every answer to a dump request that contains `wanted`.

    The kernel sends about a hundred answers at a time; messages without `wanted` are skipped whole.
    """
    with connect() as kernel:
        send(kernel, request, _NLM_F_DUMP)
        while True:
            data, offset = kernel.recv(65536), 0
            holds_wanted = wanted in data
            while offset < len(data):
                length, kind = _HEADER.unpack_from(data, offset)
                if kind == _NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR:
                    code = -struct.unpack_from("=i", data, offset + 16)[0]
                    raise Unavailable(code)
                if holds_wanted and wanted in (message := data[offset + 16 : offset + length]):
                    yield message
                offset += (length + 3) & ~3


def attributes(message: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    """Yield the attributes of a message from this offset on, each as its kind and its value."""
    while offset + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, offset)
        if length < 4:
            return
        yield kind, message[offset + 4 : offset + length]
        offset += (length + 3) & ~3
