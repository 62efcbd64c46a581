"""
The pool of connections that an upstream keeps, and for how long they may lead to old instances after a switch.

Every wait that follows a switch is as long as the longest of these times, over the texts of all living workers.
"""

from __future__ import annotations

from zdd.nginx.config import units
from zdd.nginx.config import version as versions
from zdd.nginx.config.parse import Directive, every, parse
from zdd.nginx.config.target import inside
from zdd.nginx.config.version import Version

LONGEST = 5.0  # seconds: a pool that may lead to old instances for longer counts as one without a bound


def tail(upstream: Directive | None, version: Version) -> float | None:
    """
    Return for how many seconds after a switch an upstream's pool may still lead to the old instances.

    That is the sum of keepalive_time and keepalive_timeout; 0 without a pool; None for more than 5 s, or without a
    bound, or where the text does not say it in a way that nginx accepts.
    """
    if not _has_pool(upstream, version):
        return 0.0
    bounds = [_bound(upstream, name) for name in ("keepalive_time", "keepalive_timeout")]
    known = [bound for bound in bounds if bound is not None]
    total = sum(known)
    return total if len(known) == len(bounds) and total <= LONGEST else None


def longest(text: str, version: Version, own: tuple[str, ...]) -> float | None:
    """
    Return the longest `tail` of those upstreams of a text that have a server beginning with one of `own`.

    None if one of them has no bound.
    """
    groups = every(parse(text), "upstream")
    groups = (group for group in groups if any(server.args[0].startswith(own) for server in group.inner("server")))
    tails = [tail(group, version) for group in groups]
    known = [each for each in tails if each is not None]
    return max([0.0, *known]) if len(known) == len(tails) else None


def _has_pool(upstream: Directive | None, version: Version) -> bool:
    by_default = "32" if version >= versions.POOLS_BY_DEFAULT and upstream else "0"
    return next((inner.args[:1] for inner in inside(upstream) if inner.name == "keepalive"), [by_default]) != ["0"]


def _bound(upstream: Directive | None, name: str) -> float | None:
    """Return the seconds that one of a pool's bounds says, None without a bound or with one that nginx refuses."""
    said = [inner.args for inner in inside(upstream) if inner.name == name]
    return units.seconds(said[-1][0]) if said and len(said[-1]) == 1 else None
