"""The ports that nginx is to listen on, and who has them."""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection, Sequence
from typing import NamedTuple

from zdd.errors import UsageError
from zdd.host import interpreter, process, sock_diag
from zdd.host.process import Process
from zdd.host.sock_diag import TcpSocket
from zdd.nginx.config import listen, parse
from zdd.nginx.config.listen import Address

CHANGE_LISTEN = (
    "set listen (in [nginx], or in the template) to an address of this machine (`ip address`), or to a port alone for "
    "all of them"
)
_MAPPED = "::ffff:"  # before an address of IPv4 on which a socket of IPv6 listens
_ALL = {"0.0.0.0", "::"}  # every address of IPv4 and of IPv6, as `listen.parsed` returns them


class Taken(NamedTuple):
    """Who listens on a port that nginx needs: a part of a sentence, what to do, and whether it is a project of zdd."""

    port: str
    who: str
    fix: str
    is_project: bool = False

    @property
    def words(self) -> str:
        """The problem in one sentence."""
        return f"port {self.port} is taken by {self.who}"


def taken(address: str, own: Sequence[Process]) -> Taken | None:
    """Return who listens on this address instead of these processes, None if nobody does."""
    port = listen.port(address)
    inodes = {inode for ours in own for inode, _ in sock_diag.socket_descriptors(ours.pid)}
    others = [one.inode for one in listening(address) if one.inode not in inodes]
    if not others:
        return None
    from zdd.nginx import whose  # here, because most ports are free
    from zdd.nginx.process import complaints

    pid = complaints.holder(set(others))
    shown, change = str(port), "change listen"
    if address == f"[::]:{port}":
        shown = f"{port} of IPv6"
        if all(one.inode in inodes for one in listening(f"0.0.0.0:{port}")):
            change = f'change listen ("0.0.0.0:{port}" leaves IPv6 out)'
    if known := whose.at_port(port, pid):
        owner, nginx = known
        if nginx in {ours.pid for ours in own}:
            return None  # root without CAP_SYS_PTRACE does not see that its nginx has these sockets
        ways = "give the service a `host` in that project, or let both be included (include in [nginx]) by one nginx"
        who = f"the nginx (process {nginx}) of {owner.words}"
        return Taken(shown, who, f"{ways}; or {change}", is_project=True)
    who = f"process {pid} ({process.title(pid)[:60]})" if pid else "another user's process"
    return Taken(shown, who, f"end it, or {change}")


def listening(address: str) -> list[sock_diag.TcpSocket]:
    """Return the sockets of any program that listen where nginx would."""
    host, _, number = address.rpartition(":")
    sockets = sock_diag.listening_on(int(number))
    hosts = _hosts(host.strip("[]")) if sockets else ()
    return [one for one in sockets if any(_overlap(each, one) for each in hosts)]


def require(addresses: Sequence[str], known: Collection[Address], own: Sequence[Process], program: str) -> None:
    """
    Raise UsageError if somebody else listens on one of these; ours has the ports of the addresses `known` already.

    Where nginx's program is a script, which may run it in another network namespace, only another project counts.
    """
    ours = {(port, ":" in host) for host, port in known}
    for address in addresses:
        new = (listen.port(address), address.startswith("[")) not in ours
        if new and (found := taken(address, own)) and (found.is_project or not interpreter.is_script(program)):
            raise UsageError(found.words, hint=found.fix)


def bound(addresses: Sequence[str], own: Sequence[Process]) -> set[Address]:
    """Return where these processes listen on the ports of the addresses; empty if that is unknown."""
    inodes = {inode for ours in own for inode, _ in sock_diag.socket_descriptors(ours.pid)}
    numbers = {listen.port(address) for address in addresses}
    return {(one.address, port) for port in numbers for one in sock_diag.listening_on(port) if one.inode in inodes}


def require_bindable(addresses: Sequence[str], bound: Collection[Address]) -> None:
    """
    Raise UsageError if a running nginx, whose sockets are `bound`, could not bind these addresses at a reload.

    It opens the new sockets before it closes the old ones, and Linux lets nobody listen on one address of a port while
    a socket listens on all addresses of that port, or the other way round.
    """
    text = "".join(f"listen {address};" for address in addresses)
    for new, port in sorted(listen.sockets(parse.parse(text)) - set(bound)):
        for old in (host for host, number in bound if number == port and (":" in host) == (":" in new)):
            if _ALL & {old, new}:
                raise UsageError(
                    f"nginx listens on port {port} of {_shown(old)} and cannot change to {_shown(new)} while it runs",
                    hint="`zddeploy down`, then `zddeploy` (`zddeploy up` would start it on the address of before)",
                )


def _shown(host: str) -> str:
    return "every address" if host in _ALL else host


def require_here(addresses: Sequence[str], own: Sequence[Process], program: str) -> None:
    """Raise UsageError if one of these addresses is not this machine's, so that nginx could not listen there."""
    for address in addresses:
        if problem := elsewhere(address, own, program):
            raise UsageError(problem, hint=CHANGE_LISTEN)


def elsewhere(address: str, own: Sequence[Process], program: str) -> str | None:
    """
    Return why nobody can listen on this address here; None if one can, or if one of these processes does.

    None as well if nginx's program is a script, which may run nginx elsewhere, as in another network namespace.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if host in ("", "*", "0.0.0.0") or interpreter.is_script(program):
        return None
    try:
        numbers = _resolved(host)
    except OSError as error:
        return f"listen {address}: {host} does not resolve ({error.strerror})"
    inodes = {inode for ours in own for inode, _ in sock_diag.socket_descriptors(ours.pid)}
    held = {one.address for one in sock_diag.listening_on(int(port)) if one.inode in inodes}
    for number in numbers - held:
        try:
            with socket.socket(_family(number)) as tried:
                tried.bind((number, 0))
        except OSError as error:
            foreign = error.errno == errno.EADDRNOTAVAIL
            why = "is not an address of this machine" if foreign else f"cannot be used: {error.strerror}"
            return f"listen {address}: {number} {why}"
    return None


def _resolved(host: str) -> set[str]:
    """Return the IP addresses of a name; an address is its own. Raises OSError."""
    try:
        socket.inet_pton(_family(host), host)
    except OSError:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return {str(address[0]) for *_, address in found}
    return {host}


def _family(number: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in number else socket.AF_INET


def _hosts(host: str) -> set[str]:
    """Return the IP addresses on which nginx listens for the host of an address; the name itself if it has none."""
    try:
        return {"0.0.0.0"} if host in ("", "*") else _resolved(host)
    except OSError:
        return {host}


def _overlap(host: str, other: TcpSocket) -> bool:
    """Return whether nobody can listen on the IP address while that socket listens on the same port."""
    theirs = other.address.removeprefix(_MAPPED)
    is_other_family = (":" in host) != (":" in theirs)
    return other.has_ipv4 or (not is_other_family and (host == theirs or bool({host, theirs} & _ALL)))
