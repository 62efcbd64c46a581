"""
Exact counts of connections, by asking the kernel (sock_diag(7), netlink; no privileges needed).

A connection to a UNIX socket counts from connect(2) on: a queued one, not accepted yet, carries a request, too.
"""

from __future__ import annotations

import os
import struct

from zdd.host import netlink
from zdd.host.light import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    File = tuple[int, int]  # the device and inode of the name that a UNIX socket was bound to

AT_LOOPBACK = ("127.0.0.1", "0.0.0.0", "::", "::ffff:127.0.0.1")  # listeners there can be reached at 127.0.0.1

_SHOW_NAME_OF_FILE, _SHOW_QUEUE = 0x02, 0x10  # UDIAG_SHOW_VFS, UDIAG_SHOW_RQLEN
_VFS, _RQLEN = 1, 4
_TCP_ATTRIBUTES, _V6ONLY = 72, 11  # where they begin (struct inet_diag_msg); INET_DIAG_SKV6ONLY
_EVERY_ADDRESS_6 = "::"
_ESTABLISHED, _CLOSE_WAIT, _LISTEN = 1, 8, 10
_ANY = 0xFFFFFFFF


class TcpSocket:
    """
    One TCP socket as the kernel shows it: its local address and port, its inode, and its user.

    `in_queue` is how many connections to a listening socket wait to be accepted. `has_ipv4` says that a socket of
    every IPv6 address takes connections of IPv4, too (IPV6_V6ONLY is off).
    """

    __slots__ = ("address", "has_ipv4", "in_queue", "inode", "port", "uid")

    def __init__(
        self, address: str, port: int, inode: int, uid: int, in_queue: int = 0, has_ipv4: bool = False
    ) -> None:
        self.address = address
        self.port = port
        self.inode = inode
        self.uid = uid
        self.in_queue = in_queue
        self.has_ipv4 = has_ipv4


def connections_to(file: File | None, in_queue: int | None = None) -> int | None:
    """
    Count the connections to the UNIX socket of this file (see `file_of`), queued or accepted, in our network namespace.

    `in_queue` is how many were in the queue of its listener just now, for whoever knows without a list of listeners.

    Return None if neither a listener nor a connection is bound to that file here: a count would mean nothing (they may
    be in another namespace, or the file system may report other device numbers than the kernel), and the caller must
    count in another way. Of a listener in another namespace (a container's) only accepted connections are visible.
    """
    in_queue = queued(file) if in_queue is None else in_queue
    # A dump omits queued connections, which have no owner yet, and it is not atomic. In this order a connection that is
    # accepted in between is counted twice rather than not at all.
    connected = len(accepted(file))
    return None if in_queue is None and not connected else (in_queue or 0) + connected


def connections_to_files() -> dict[File, int]:
    """Count the connections to every UNIX socket in our network namespace, by its file, in two dumps."""
    counts = {file: in_queue for _, file, in_queue in _unix_sockets(_LISTEN) if file}
    for _, file, _ in _unix_sockets(_ESTABLISHED):
        if file:
            counts[file] = counts.get(file, 0) + 1
    return counts


def connections_to_listeners() -> dict[File, int]:
    """Count the connections to each UNIX socket that listens in our network namespace, by its file, in two dumps."""
    counts = {file: in_queue for _, file, in_queue in _unix_sockets(_LISTEN) if file}
    for _, file, _ in _unix_sockets(_ESTABLISHED):
        if file in counts:
            counts[file] += 1
    return counts


def queued(file: File | None) -> int | None:
    """Count the connections in the accept queue of the UNIX socket of this file; None without a listener."""
    queues = [in_queue for _, _, in_queue in _unix_sockets(_LISTEN, file)] if file else []
    return sum(queues) if queues else None


def accepted(file: File | None) -> set[int]:
    """Return the accepted connections to the UNIX socket of this file, each by its own inode."""
    return {inode for inode, _, _ in _unix_sockets(_ESTABLISHED, file)} if file else set()


def listening_at(file: File | None) -> set[int]:
    """Return the inodes of the listening sockets that are bound to this file."""
    return {inode for inode, _, _ in _unix_sockets(_LISTEN, file)} if file else set()


def connections_to_port(port: int) -> int:
    """Count the TCP connections to a local port that its server has not closed, queued ones too (IPv4 and IPv6)."""
    states = 1 << _ESTABLISHED | 1 << _CLOSE_WAIT
    return sum(1 for family in (socket.AF_INET, socket.AF_INET6) for _ in _tcp_sockets(family, states, port))


def accepted_on(port: int) -> set[int]:
    """Return the inodes of the TCP connections to a local port that its server has accepted and not closed."""
    states = 1 << _ESTABLISHED | 1 << _CLOSE_WAIT
    families = (socket.AF_INET, socket.AF_INET6)
    return {each.inode for family in families for each in _tcp_sockets(family, states, port)} - {0}


def listening_on(port: int) -> list[TcpSocket]:
    """Return the sockets that listen on a TCP port."""
    return [listener for listener in _listening_on_tcp(port) if listener.port == port]


def listening_beside(inodes: set[int]) -> set[int]:
    """Return which of these sockets listen, and what else listens at the same TCP addresses (SO_REUSEPORT)."""
    tcp = _listening_on_tcp(0)
    places = {(listener.address, listener.port) for listener in tcp if listener.inode in inodes}
    beside = {listener.inode for listener in tcp if (listener.address, listener.port) in places}
    return beside | {inode for inode, _, _ in _unix_sockets(_LISTEN) if inode in inodes}


def listeners(pids: list[int]) -> list[tuple[str, int]]:
    """Return the TCP addresses these processes listen on, as (address, port), lowest port first."""
    inodes = inodes_of(pids)
    places = {(listener.address, listener.port) for listener in _listening_on_tcp(0) if listener.inode in inodes}
    return sorted(places, key=lambda pair: (pair[1], pair[0]))


def inodes_of(pids: Iterable[int]) -> set[int]:
    """Return the inodes of all sockets of these processes; another user's process counts as one without sockets."""
    return {inode for pid in pids for inode, _ in socket_descriptors(pid)}


def socket_descriptors(pid: int) -> Iterator[tuple[int, int]]:
    """Yield the process's sockets as (inode, descriptor); none for another user's process."""
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            target = os.readlink(f"{folder}/{name}")
        except OSError:
            continue
        if target.startswith("socket:["):
            yield int(target[8:-1]), int(name)


def listening_files() -> set[File]:
    """Return the files of all listening UNIX sockets in our network namespace."""
    return {file for _, file, _ in _unix_sockets(_LISTEN) if file}


def file_of(path: str, follow_symlinks: bool = True) -> File | None:
    """Return the (device, inode) that sockets bound to this path have; None if the path does not exist."""
    try:
        stat = os.stat(path, follow_symlinks=follow_symlinks)
    except OSError:
        return None
    device = os.major(stat.st_dev) << 20 | os.minor(stat.st_dev)  # the kernel's own dev_t
    return device, stat.st_ino & 0xFFFFFFFF


def _unix_sockets(state: int, file: File | None = None) -> Iterator[tuple[int, File | None, int]]:
    """
    Yield the sockets in this state; with `file`, only those that are bound to it.

    Each as its own inode, the file of the name it was bound to, which stays if the name is removed, and the number of
    connections in its queue.
    """
    show = _SHOW_NAME_OF_FILE | _SHOW_QUEUE
    request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, 1 << state, 0, show, _ANY, _ANY)
    for message in netlink.dump(request, struct.pack("=II", file[1], file[0]) if file else b""):
        inode = struct.unpack_from("=I", message, 4)[0]
        bound_to, in_queue = None, 0
        for kind, value in netlink.attributes(message, 16):
            if kind == _VFS:
                file_inode, device = struct.unpack_from("=II", value)
                bound_to = (device, file_inode)
            elif kind == _RQLEN and state == _LISTEN:
                in_queue = struct.unpack_from("=I", value)[0]
        if file in (None, bound_to):
            yield inode, bound_to, in_queue


def _listening_on_tcp(port: int) -> list[TcpSocket]:
    """Return the listening TCP sockets of this port, 0 for all, IPv4 and IPv6."""
    families = (socket.AF_INET, socket.AF_INET6)
    return [listener for family in families for listener in _tcp_sockets(family, 1 << _LISTEN, port)]


def _tcp_sockets(family: int, states: int, port: int) -> Iterator[TcpSocket]:
    """Yield the TCP sockets in these states with this local port; a port of 0 asks for all."""
    wanted = struct.pack("!HH", port, 0) + bytes(32) + struct.pack("=III", 0, _ANY, _ANY)
    request = struct.pack("=BBBBI", family, socket.IPPROTO_TCP, 0, 0, states) + wanted
    width = 4 if family == socket.AF_INET else 16
    for message in netlink.dump(request):
        local_port = struct.unpack_from("!H", message, 4)[0]
        in_queue, _, uid, inode = struct.unpack_from("=IIII", message, 56)
        address = socket.inet_ntop(family, message[8 : 8 + width])
        has_ipv4 = address == _EVERY_ADDRESS_6 and (_V6ONLY, b"\1") not in netlink.attributes(message, _TCP_ATTRIBUTES)
        yield TcpSocket(address, local_port, inode, uid, in_queue, has_ipv4)
