"""Who says X-Forwarded-Proto to zdd's own nginx, and is believed or not without anybody's having meant it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from zdd.conf.networks import PRIVATE, part_of_all
from zdd.finding import Finding, warning
from zdd.host import files
from zdd.nginx.config.trust import Trust, networks

_LINE = r"zdd: \S+ X-Forwarded-Proto from ([0-9a-fA-F.:]+) at ([0-9a-fA-F.:]+): "
_LINES, _MOST = 2000, 1 << 20  # of the log: its last lines, and bytes
_SHOWN = 3
_WIDE = 1 / 16  # of all addresses: no operator of proxies has so many; 2000::/3 is all of the IPv6 internet
_THIS_MACHINE = ("127.", "::1")
_PAGE = "docs/guides/behind-a-proxy.md"


def seen(log: str) -> list[str]:
    """Return the addresses of those who have said it lately, by nginx's log, the last one first; zdd itself is none."""
    found = [match.groups() for line in files.tail(log, _LINES, most=_MOST) if (match := re.match(_LINE, line))]
    others = [peer for peer, here in found if peer != here and not peer.startswith(_THIS_MACHINE)]
    return list(dict.fromkeys(reversed(others)))


def is_about(line: str) -> bool:
    """Return whether a line of the log is about them, and not an error of nginx's."""
    return re.match(_LINE, line) is not None


def findings(trust: Trust, log: str) -> Iterator[Finding]:
    """Yield what a deploy and `check` say as long as `trusted_proxies` is not set, or names the whole internet."""
    peers = seen(log) if trust.asks else []
    if trust.proxies:
        yield from _too_many(trust)
    if trust.proxies is None:
        yield warning(
            "X-Forwarded-For and -Proto of every visitor are believed, as before 0.2"
            + (f"; X-Forwarded-Proto came from {_shown(peers)}" if peers else ""),
            "a visitor can say to be somebody else, or to have come by https; a new project believes private addresses",
            f"write in [nginx] {_written(peers)}",
        )
    elif peers:
        yield warning(
            f"X-Forwarded-Proto came from {_shown(peers)}, and is not believed",
            "if that is a proxy of yours, apps are told http where visitors have https, and may redirect them for ever",
            f"write in [nginx] {_written(peers)}",
        )


def _shown(peers: Sequence[str]) -> str:
    return ", ".join(peers[:_SHOWN]) + (f" and {len(peers) - _SHOWN} more" if len(peers) > _SHOWN else "")


def _written(peers: Sequence[str]) -> str:
    if not peers:
        return f'trusted_proxies = "{PRIVATE}", or the addresses of the proxies before this machine (see {_PAGE})'
    names = ", ".join(f'"{name}"' for name in (PRIVATE, *peers[:_SHOWN]))
    return f'trusted_proxies = [{names}] with all addresses of that proxy, or "{PRIVATE}" if it is none (see {_PAGE})'


def _too_many(trust: Trust) -> Iterator[Finding]:
    """Yield what follows from a `trusted_proxies` that has so many addresses that visitors are among them."""
    parts = part_of_all(networks(trust.proxies or ()))
    wide = [f"{_percent(part)} of {family}" for family, part in parts.items() if part >= _WIDE]
    if wide:
        yield warning(
            f"trusted_proxies has {' and '.join(wide)}: visitors are believed as if they were proxies",
            "a visitor can say in X-Forwarded-* to be somebody else, or to have come by https: apps, limits by address "
            "and the access log take it for true",
            f'name the proxies before this machine, or "{PRIVATE}" (see {_PAGE}); it is safe only where a firewall '
            "lets nobody but your proxies in",
        )


def _percent(part: float) -> str:
    return "every address" if part == 1 else f"{part:.0%} of all addresses"
