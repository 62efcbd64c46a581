"""
A user's own nginx configuration with placeholders in it.

`{NAME}` is a port, `{NAME.servers}` the lines of `upstream.servers`, `{nginx_pid_filename}` the pid file. All other
braces belong to nginx's language or to a log format, and stay.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from zdd.nginx.config import parse

_PLACEHOLDER = re.compile(r"\{([^{}\s;]+)\}")
_SERVERS = ".servers"
_PID_FILE = "nginx_pid_filename"
_NO_BACKUPS = {"ip_hash", "hash", "random"}


class Mentions(NamedTuple):
    """Names in a template that are no services, and services that it does not mention."""

    missing: tuple[str, ...]
    unmentioned: tuple[str, ...]


def render(template_text: str, values: Mapping[str, str]) -> str:
    """
    Replace every placeholder that has a value, in one pass: a value is never expanded again.

    Further lines of a value get the indent of the first.
    """

    def value(placeholder: re.Match[str]) -> str:
        if placeholder[1] not in values:
            return placeholder[0]
        before = template_text[template_text.rfind("\n", 0, placeholder.start()) + 1 : placeholder.start()]
        return values[placeholder[1]].replace("\n", "\n" + before if before.isspace() else "\n")

    return _PLACEHOLDER.sub(value, template_text)


def mentions(template_text: str, services: Collection[str]) -> Mentions:
    """
    Compare the placeholders of a template with the services; comments do not count.

    A number in braces is a repetition in a regular expression, not the name of a missing service.
    """
    names = {name.removesuffix(_SERVERS) for name in _PLACEHOLDER.findall(parse.without_comments(template_text))}
    wordlike = {name for name in names if re.fullmatch(r"[A-Za-z0-9_-]+", name) and not name.isdecimal()}
    missing = wordlike - set(services) - {_PID_FILE}
    return Mentions(tuple(sorted(missing)), tuple(sorted(set(services) - names)))


def takes_backups(template_text: str) -> bool:
    """Return whether nginx accepts `backup` servers in this text: not beside ip_hash, hash and random."""
    return all(place.directive.name not in _NO_BACKUPS for place in parse.walk(parse.parse(template_text)))
