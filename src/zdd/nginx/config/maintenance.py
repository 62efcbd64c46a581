"""The maintenance page: the lines that make a server block answer with it, and the server blocks that have them."""

from __future__ import annotations

import textwrap

from zdd.conf import hosts
from zdd.nginx.config import parse, server
from zdd.nginx.config.listen import Visit
from zdd.nginx.config.parse import Directive, Place
from zdd.nginx.config.server import Server
from zdd.nginx.config.upstream import quoted

_NO_NAME = "localhost"

_LINES = """\
open_file_cache off;
set $zdd_maintenance "";
if (-f {file}) {{ set $zdd_maintenance $uri; }}
if ($zdd_maintenance !~ "^(/zdd-maintenance{spared})?\\z") {{ return 418; }}
error_page 418 =503 /zdd-maintenance;
location = /zdd-maintenance {{
    internal;
    default_type "text/html; charset=utf-8";
    add_header Retry-After 30 always;
    add_header Cache-Control no-store always;
    {more}alias {file};
}}"""


def lines(file: str, header: str = "", spared: str | None = None) -> str:
    r"""
    Return the lines with which a server block answers 503 with this file as the page, for as long as it exists.

    `header` is one more line for the page's location: it has add_header lines, so it inherits none. `spared` is a path
    that is answered as ever; it has letters, "-" and "/" alone.

    The page is a URI and no named location: only then a POST becomes a GET (error_page), which a file can answer.
    Requests for the page itself pass the second condition, as nginx asks it again for them; "\z", as "$" would let
    /zdd-maintenance%0A pass, too. The status inside is 418, so that a 503 of somebody else, such as limit_req, stays
    what it is. open_file_cache would answer for seconds as if the file were there, or were not.
    """
    more = f"{header}\n    " if header else ""
    return _LINES.format(file=quoted(file), more=more, spared=f"|{spared}" if spared else "")


def shown(file: str) -> str:
    """Return the lines as they are shown to a person."""
    return textwrap.indent(lines(file), "    ")


def visits(text: list[Directive], file: str) -> tuple[list[Visit], list[str]]:
    """
    Return a request for each server block of a text that looks for the file; no other block answers it.

    The second list has the names of server blocks for which no such request is known.
    """
    known, unknown = [], []
    for block in server.servers(text):
        inside = parse.walk([block.place.directive])
        if looks := next((place for place in inside if any(file in word for word in place.directive.args)), None):
            names = [name for name in block.names if name]
            if visit := _visit(block, names, looks):
                known.append(visit)
            else:
                unknown.append(_name(names))
    return known, unknown


def _visit(block: Server, names: list[str], looks: Place) -> Visit | None:
    host = hosts.asked(names)
    for where in block.listens:
        answers = host or where.is_default or not names
        if answers and where.unix is None and where.speaks_http1:
            return Visit(_name(names), where.address, host or _NO_NAME, _path(looks), where.tls, where.proxy_protocol)
    return None


def _name(names: list[str]) -> str:
    return " ".join(names) or "_"


def _path(place: Place) -> str:
    """Return a path that leads to a directive: that of the location that it is in."""
    args = next((outer.args for outer in place.above if outer.name == "location" and outer.args), ["/"])
    return args[-1] if args[-1].startswith("/") else "/"
