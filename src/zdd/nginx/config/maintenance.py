"""Which server blocks of a text answer with the maintenance page, and how each can be asked."""

from __future__ import annotations

import re
from typing import NamedTuple

from zdd.conf import hosts
from zdd.nginx.config import parse
from zdd.nginx.config.parse import ConfFile, Directive

_NOT_ASKED = {"quic", "proxy_protocol"}  # what speaks another protocol than a visitor's TCP connection
_NOBODY = "localhost"


class Asked(NamedTuple):
    """A request that one server block answers, and no other one."""

    address: tuple[str, int]
    host: str
    path: str
    tls: bool


def servers(text: str, folder: str, file: str) -> list[tuple[str, Asked | None]]:
    """
    Return each server block that looks for the file: its name, and the request, None where none is known to lead there.

    Relative includes of the text are in `folder`.
    """
    looking: dict[int, tuple[Directive, str]] = {}
    for place in parse.walk(parse.read(text, folder)):
        server = next((one for one in place.above if one.name == "server"), None)
        if server and any(file in word for word in place.directive.args):
            looking.setdefault(id(server), (server, _path(place)))
    return [(" ".join(_names(server)) or "_", _asked(server, path)) for server, path in looking.values()]


def address(words: list[str]) -> tuple[str, int] | None:
    """Return where to connect for what a `listen` says; None for what is no address and port."""
    if not (found := re.fullmatch(r"(?:(\[[^]]+\]|[^:\[\]]+):)?([0-9]+)", words[0])):
        return None
    host = (found[1] or "127.0.0.1").strip("[]")
    return {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), int(found[2])


def _asked(server: Directive, path: str) -> Asked | None:
    listens = [one.args for one in server.block or () if one.name == "listen" and one.args] or [["80"]]
    names = _names(server)
    host = hosts.asked(names)
    for words in listens:
        where, is_default = address(words), bool({"default_server", "default"} & set(words))
        if where and not _NOT_ASKED & set(words) and (host or is_default or not names):
            return Asked(where, host or _NOBODY, path, "ssl" in words)
    return None


def _names(server: Directive) -> list[str]:
    return [name for one in server.block or () if one.name == "server_name" for name in one.args if name]


def _path(place: ConfFile) -> str:
    """Return a path that leads to a directive: that of the location that it is in."""
    words = next((one.args for one in place.above if one.name == "location" and one.args), ["/"])
    return words[-1] if words[-1].startswith("/") else "/"
