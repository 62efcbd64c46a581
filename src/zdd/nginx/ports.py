"""The ports that nginx is to listen on, and who has them."""

from __future__ import annotations

import errno
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from zdd.errors import UsageError
from zdd.host import interpreter, process, sock_diag
from zdd.host.light import socket
from zdd.host.process import Process
from zdd.host.sock_diag import TcpSocket
from zdd.nginx.config import listen, parse
from zdd.nginx.config.listen import Address

_RESTART = "`zddeploy down`, then `zddeploy` (`zddeploy up` would start it on the address of before)"
_MAPPED = "::ffff:"  # before an address of IPv4 on which a socket of IPv6 listens
_ALL = {"0.0.0.0", "::"}  # every address of IPv4 and of IPv6, as `listen.parsed` returns them


class Taken(Struct, frozen=True):
    """Who listens on a port that nginx needs: a part of a sentence, what to do, and whether it is a project of zdd."""

    port: str
    who: str
    fix: str
    is_project: bool = False

    @property
    def words(self) -> str:
        """The problem in one sentence."""
        return f"port {self.port} is taken by {self.who}"


def change_listen(key: str) -> str:
    """Return what to do about an address that is not this machine's; `key` is where it stands."""
    return (
        f"set {key} (in [nginx], or in the template) to an address of this machine (`ip address`), or to a port "
        "alone for all of them"
    )


def taken(address: str, own: Sequence[Process], key: str = "listen") -> Taken | None:
    """Return who listens on this address, which stands in `key`, instead of these processes; None if nobody does."""
    port = listen.port(address)
    inodes = _inodes(own)
    others = [one.inode for one in listening(address) if one.inode not in inodes]
    if not others:
        return None
    from zdd.nginx import whose  # here, because most ports are free
    from zdd.nginx.process import complaints

    pid = complaints.holder(set(others))
    shown, change = str(port), f"change {key}"
    if address == f"[::]:{port}":
        shown = f"{port} of IPv6"
        if all(one.inode in inodes for one in listening(f"0.0.0.0:{port}")):
            change = f'change {key} ("0.0.0.0:{port}" leaves IPv6 out)'
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


def require(said: Mapping[str, str], known: Collection[Address], own: Sequence[Process], program: str) -> None:
    """
    Raise UsageError if somebody else listens on one of these addresses, each with its key; ours has those `known`.

    Where nginx's program is a script, which may run it in another network namespace, only another project counts.
    """
    ours = {(port, ":" in host) for host, port in known}
    for address, key in said.items():
        new = (listen.port(address), address.startswith("[")) not in ours
        if new and (found := taken(address, own, key)) and (found.is_project or not interpreter.is_script(program)):
            raise UsageError(found.words, hint=found.fix)


def bound(addresses: Sequence[str], own: Sequence[Process]) -> set[Address]:
    """Return where these processes listen on the ports of the addresses; empty if that is unknown."""
    inodes = _inodes(own)
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
                    hint=_RESTART,
                )


def require_families(
    new: Collection[int], before: Collection[int], said: Collection[str], own: Sequence[Process]
) -> None:
    """
    Raise UsageError if a socket of these processes would have to begin, or to cease, to take IPv4 beside IPv6.

    A running nginx keeps its sockets as they were opened. At a reload to `ipv6only=off` it closes that of IPv4 without
    a word, and visitors are refused; the other way round it cannot bind IPv4 (tried with 1.22 and 1.31). `new` and
    `before` are the ports with `ipv6only=off`, in the text to come and in the one in place.
    """
    if not (new or before):
        return
    inodes = _inodes(own)
    for port in sorted({listen.port(address) for address in said}):
        kept = [one.has_ipv4 for one in sock_diag.listening_on(port) if one.inode in inodes]
        meant = port in new
        if kept and any(kept) != meant and (port in before) != meant:
            what, why = ("to", "IPv4 would be lost") if meant else ("from", "one socket has both IPv4 and IPv6")
            raise UsageError(
                f"nginx cannot change {what} listen [::]:{port} ipv6only=off while it runs: {why}", hint=_RESTART
            )


def _shown(host: str) -> str:
    return "every address" if host in _ALL else host


def require_here(said: Mapping[str, str], own: Sequence[Process], program: str) -> None:
    """Raise UsageError if one of these addresses, each with its key, is not an address of this machine."""
    for address, key in said.items():
        if problem := elsewhere(address, own, program):
            raise UsageError(problem, hint=change_listen(key))


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
    inodes = _inodes(own)
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


def _inodes(own: Sequence[Process]) -> set[int]:
    return sock_diag.inodes_of(ours.pid for ours in own)


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
