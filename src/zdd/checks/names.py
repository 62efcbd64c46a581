"""Whether the names of the services lead to addresses that nginx listens on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

from zdd.conf import check_tls, hosts
from zdd.finding import Finding, warning
from zdd.host import ipv6
from zdd.project import Project

_MOST = 10  # names; more would say nothing new
_PATIENCE = 2.0  # seconds for all of them


def findings(project: Project) -> Iterator[Finding]:
    """Yield the names that have an IPv6 address although nobody can listen there: this machine has none."""
    config = project.config
    if config.nginx.owner or not config.is_reached or ipv6.is_there() is not False:
        return
    if not any(address.isdecimal() for address in config.nginx.addresses):
        return
    names = check_tls.names(config.nginx, config.services.values())
    for name, address in _of_ipv6([name for name in names if not hosts.is_pattern(name)][:_MOST]).items():
        yield warning(
            f"{name} has the IPv6 address {address}, and this machine has none",
            "visitors and certificate authorities try that one first",
            f"remove the AAAA record of {name}, or give this machine an IPv6 address",
        )


def _of_ipv6(names: list[str]) -> dict[str, str]:
    """Return an IPv6 address of each name that has one, as far as the resolver says so in time."""
    found: dict[str, str] = {}

    def look() -> None:
        for name in names:
            try:
                found[name] = str(socket.getaddrinfo(name, None, socket.AF_INET6, socket.SOCK_STREAM)[0][4][0])
            except (OSError, UnicodeError):
                continue

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(_PATIENCE)
    return dict(found)
