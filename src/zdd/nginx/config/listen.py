"""Where nginx listens, and the requests that get there."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from zdd.nginx.config.parse import parse, walk

Address = tuple[str, int]

# Before nginx 1.25.1 an address with `http2` speaks nothing else to clients without TLS.
_NOT_PLAIN_HTTP = {"ssl", "quic", "http2"}


class Visit(NamedTuple):
    """One request that leads through nginx to a service or a server block, named in messages by `service`."""

    service: str
    address: Address
    host: str
    path: str
    tls: bool = False
    proxy_protocol: bool = False


def listens(text: str) -> list[list[str]]:
    """Return the arguments of each `listen` directive of a text, without those of the files that it includes."""
    return [
        place.directive.args for place in walk(parse(text)) if place.directive.name == "listen" and place.directive.args
    ]


def address(args: list[str]) -> Address | None:
    """Return where to connect for the arguments of a `listen`; None if they name no TCP port."""
    if not (match := re.fullmatch(r"(?:(\[[^]]+\]|[^:\[\]]+):)?([0-9]+)", args[0])):
        return None
    host = (match[1] or "127.0.0.1").strip("[]")
    return {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), int(match[2])


def http_address(directives: Iterable[list[str]]) -> Address | None:
    """Return the first address that takes plain HTTP/1, given the arguments of `listen` directives; else None."""
    return next((where for args in directives if not _NOT_PLAIN_HTTP & set(args) and (where := address(args))), None)


def ports(text: str) -> set[int]:
    """Return the TCP ports of a text's `listen` directives."""
    on_tcp = [args for args in listens(text) if not args[0].startswith("unix:")]
    return {where[1] if (where := address(args)) else 80 for args in on_tcp}
