"""
The key by which nginx chooses the same instance for a client again.

`hash KEY consistent` places the slots on a ring: a slot that is added or removed moves only the clients that come to
it or leave it. The paths of slots never change, so a deploy moves nobody. A client without the cookie is known by its
address, and so is one whose cookie is empty.

nginx's names of variables take letters, digits and _ only, in either case alike, and a name of more than 46 letters
does not fit into its variables_hash_bucket_size.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from zdd import digest
from zdd.conf.services import RunService
from zdd.nginx.config.mark import Mark

IP = "ip"
_COOKIE = "cookie:"
_READABLE = "[a-z0-9][a-z0-9_]{0,23}"
_DIGITS = 12


class Keys:
    """
    The keys of a project's services; `sticky` says by what the clients of a service are known: "ip" or "cookie:NAME".

    The project's mark makes their names differ from those of other projects in one nginx. `address` is the variable
    with a client's address.
    """

    def __init__(self, mark: Mark | None, sticky: Mapping[str, str], address: str = "$remote_addr") -> None:
        self._project = mark.name if mark else ""
        self._sticky = sticky
        self._address = address

    def of(self, service: str) -> str | None:
        """Return the variable with the key of the service's clients; None if any instance may answer them."""
        if service not in self._sticky:
            return None
        readable = re.fullmatch(_READABLE, service)
        word = service if readable else f"_{digest.of(service.encode(), _DIGITS)}"
        return f"$zdd_key_{self._project}_{word}"

    def maps(self) -> list[str]:
        """Return the lines for the http level that define the variables."""
        return [f"{_map(by, str(self.of(service)), self._address)}\n" for service, by in sorted(self._sticky.items())]


def chosen(services: Mapping[str, RunService], reached: Collection[str]) -> dict[str, str]:
    """Return what the configuration says of those services that nginx reaches, for `Keys`."""
    return {name: app.sticky for name, app in services.items() if app.sticky and name in reached}


def _map(by: str, variable: str, address: str) -> str:
    cookie = by.removeprefix(_COOKIE)
    if by == IP:
        return f'map "" {variable} {{ default {address}; }}'
    if re.fullmatch("[A-Za-z0-9_]+", cookie):
        return f'map $cookie_{cookie} {variable} {{ default $cookie_{cookie}; "" {address}; }}'
    name = re.sub("[^A-Za-z0-9_]", lambda letter: rf"\x{ord(letter[0]):02x}", cookie)
    return f'map $http_cookie {variable} {{ default {address}; "~(?:^|; *){name}=(?<zdd_id>[^;]+)" $zdd_id; }}'
