"""The ports that nginx is to listen on, and who has them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from zdd.errors import UsageError
from zdd.host import process, sock_diag
from zdd.host.process import Process
from zdd.nginx.config import listen, parse
from zdd.nginx.config.listen import Address

_EVERYWHERE = ("", "*", "0.0.0.0", "::")
_ALL = {"0.0.0.0", "::"}  # every address of IPv4 and of IPv6, as `listen.parsed` returns them


class Taken(NamedTuple):
    """Who listens on a port that nginx needs: a part of a sentence, what to do, and whether it is a project of zdd."""

    port: int
    who: str
    fix: str
    is_project: bool = False

    @property
    def words(self) -> str:
        """The problem in one sentence."""
        return f"port {self.port} is taken by {self.who}"


def taken(address: str, own: Sequence[Process]) -> Taken | None:
    """Return who listens on this address instead of these processes, None if nobody does."""
    port = int(address.rpartition(":")[2])
    inodes = {inode for ours in own for inode, _ in sock_diag.socket_descriptors(ours.pid)}
    others = [one.inode for one in listening(address) if one.inode not in inodes]
    if not others:
        return None
    from zdd.nginx import whose  # here, because most ports are free
    from zdd.nginx.process import complaints

    pid = complaints.holder(set(others))
    if known := whose.at_port(port, pid):
        owner, nginx = known
        ways = "give the service a `host` in that project, or let both be included (include in [nginx]) by one nginx"
        who = f"the nginx (process {nginx}) of {owner.words}"
        return Taken(port, who, f"{ways}; or change listen", is_project=True)
    who = f"process {pid} ({process.title(pid)[:60]})" if pid else "another user's process"
    return Taken(port, who, "end it, or change listen")


def listening(address: str) -> list[sock_diag.TcpSocket]:
    """Return the sockets that listen where nginx would, whosever they are."""
    host, _, number = address.rpartition(":")
    return [one for one in sock_diag.listening_on(int(number)) if _overlap(host.strip("[]"), one.address)]


def require(addresses: Sequence[str], known: Collection[int], own: Sequence[Process]) -> None:
    """Raise UsageError if another project's nginx listens on one of these; ours has the ports `known` already."""
    for address in addresses:
        new = int(address.rpartition(":")[2]) not in known
        if new and (found := taken(address, own)) and found.is_project:
            raise UsageError(found.words, hint=found.fix)


def require_bindable(addresses: Sequence[str], bound: Collection[Address]) -> None:
    """
    Raise UsageError if a running nginx, whose sockets are `bound`, could not bind these addresses at a reload.

    It opens the new sockets before it closes the old ones, and Linux lets nobody listen on one address of a port while
    a socket listens on all addresses of that port, or the other way round.
    """
    text = "".join(f"listen {address};" for address in addresses)
    for new, port in listen.sockets(parse.parse(text)) - set(bound):
        for old in (host for host, number in bound if number == port and (":" in host) == (":" in new)):
            if _ALL & {old, new}:
                raise UsageError(
                    f"nginx listens on port {port} of {_shown(old)} and cannot change to {_shown(new)} while it runs",
                    hint="`zddeploy down`, then `zddeploy` (`zddeploy up` would start it on the address of before)",
                )


def _shown(host: str) -> str:
    return "every address" if host in _ALL else host


def _overlap(host: str, other: str) -> bool:
    return host == other or host in _EVERYWHERE or other in _EVERYWHERE
