"""
A user's own nginx configuration with placeholders in it.

`{NAME}` is a port, `{NAME.servers}` the lines of `upstream.servers`, `{nginx_pid_filename}` the pid file. All other
braces belong to nginx's language or to a log format, and stay.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from zdd.nginx.config import lexer, mark, parse

_PLACEHOLDER = re.compile(r"\{([^{}\s;]+)\}")
_SERVERS = ".servers"
PID_FILE = "nginx_pid_filename"
_NO_BACKUPS = {"ip_hash", "hash", "random"}
_METHODS = _NO_BACKUPS | {"least_conn", "least_time", "sticky"}
STICKY = (
    f"{{{mark.PLACEHOLDER}}} inside http {{ }} says what clients are known by, and {{NAME.servers}} in an upstream "
    "without a method of its own chooses by it"
)
"""How a template leads clients to the same instance again."""


class Mentions(NamedTuple):
    """Names in a template that are no services, and services that it does not mention."""

    missing: tuple[str, ...]
    unmentioned: tuple[str, ...]


def render(
    template_text: str, values: Mapping[str, str], binding: Mapping[str, str] | None = None, everywhere: bool = False
) -> str:
    """
    Replace every placeholder that has a value, in one pass: a value is never expanded again.

    Placeholders in comments and variables, such as ${web}, stay; with `everywhere` they are replaced, too, as before
    0.2 and still for classic services. Further lines of a value get the indent of the first. `binding` has the values
    in those upstream blocks that accept no `backup` servers.
    """
    parts, position = [], 0
    blocks = _binding_blocks(template_text) if binding else []
    for placeholder in _PLACEHOLDER.finditer(template_text) if everywhere else _placeholders(template_text):
        start = placeholder.start()
        binds = binding is not None and any(start in block for block in blocks)
        value = (binding if binding is not None and binds else values).get(placeholder[1])
        if value is not None:
            before = template_text[template_text.rfind("\n", 0, start) + 1 : start]
            value = value.replace("\n", "\n" + before if before.isspace() else "\n")
            parts += [template_text[position:start], value]
            position = placeholder.end()
    return "".join([*parts, template_text[position:]])


def mentions(template_text: str, services: Collection[str]) -> Mentions:
    """
    Compare the placeholders of a template with the services; comments do not count.

    A number in braces is a repetition in a regular expression, not the name of a missing service.
    """
    names = {placeholder[1].removesuffix(_SERVERS) for placeholder in _placeholders(template_text)}
    wordlike = {name for name in names if re.fullmatch(r"[A-Za-z0-9_-]+", name) and not name.isdecimal()}
    missing = wordlike - set(services) - {PID_FILE}
    return Mentions(tuple(sorted(missing)), tuple(sorted(set(services) - names)))


def lacks_for_sticky(template_text: str, service: str) -> str | None:
    """Return what a template lacks to lead clients to the same instance of a service again; None if nothing."""
    places = [(placeholder[1], placeholder.start()) for placeholder in _placeholders(template_text)]
    servers = [start for name, start in places if name == f"{service}{_SERVERS}"]
    if not servers:
        return f"{{{service}{_SERVERS}}}"
    if mark.PLACEHOLDER not in {name for name, _ in places}:
        return f"{{{mark.PLACEHOLDER}}}"
    has_own = any(start in block for block in _binding_blocks(template_text, _METHODS) for start in servers)
    return "an upstream without a method such as ip_hash" if has_own else None


def _placeholders(template_text: str) -> Iterator[re.Match[str]]:
    """Yield the placeholders that are neither in a comment nor a variable of nginx."""
    comments = [token for token in lexer.tokens(template_text, template=True) if token.kind == "comment"]
    comments.reverse()
    for placeholder in _PLACEHOLDER.finditer(template_text):
        start = placeholder.start()
        while comments and comments[-1].end <= start:
            comments.pop()
        in_comment = comments and comments[-1].start <= start
        if not in_comment and not template_text.startswith("$", start - 1 if start else 1):
            yield placeholder


def _binding_blocks(template_text: str, methods: Collection[str] = _NO_BACKUPS) -> list[range]:
    """Return where the upstream blocks stand that have one of these methods to choose a server."""
    blocks = []
    for place in parse.walk(parse.parse(template_text, template=True)):
        upstream = place.directive
        if upstream.name == "upstream" and any(inner.name in methods for inner in upstream.block or ()):
            end = max(inner.spot.end for inner in upstream.block or ())
            blocks.append(range(upstream.spot.start, end))
    return blocks
