"""Where zdd's own text listens: what the configuration says, a bare port as every address of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator

from zdd.conf.schema import Config
from zdd.finding import Finding, warning
from zdd.host import files, ipv6
from zdd.layout import Layout
from zdd.nginx.config import listen

_FORMER_DEFAULT = "0.0.0.0:8080"  # of `listen`, until 0.2
_EVERY_IPV6 = "[::]:"


def plain(config: Config, paths: Layout) -> list[str]:
    """
    Return the addresses for plain HTTP; none where there are only workers.

    Until 0.2 the default was every address of IPv4. A text in place that has it keeps it: the site must not vanish from
    the network by an upgrade, and nginx could not reload from every address to one of the same port.
    """
    if not config.is_reached:
        return []
    if _is_former(config, paths):
        return [_FORMER_DEFAULT]
    return listen.everywhere(config.nginx.listen, _has_ipv6(paths))


def secure(config: Config, paths: Layout) -> list[str]:
    """Return the addresses for HTTPS; none without it, and where there are only workers."""
    if not (config.nginx.is_tls and config.is_reached):
        return []
    return listen.everywhere(config.nginx.https_listen, _has_ipv6(paths))


def key_of(address: str, config: Config, paths: Layout) -> str:
    """Return the key of [nginx] that an address of nginx's stands in."""
    return "https_listen" if address in secure(config, paths) else "listen"


def notices(config: Config, paths: Layout) -> Iterator[Finding]:
    """Yield a notice if nginx listens on every address although no `listen` says so, or begins to, with IPv6."""
    if not config.is_reached:
        return
    if _is_former(config, paths):
        port = listen.port(_FORMER_DEFAULT)
        yield warning(
            f"nginx listens on port {port} of every IPv4 address of this machine, as before 0.2",
            "without `listen` a new project is reachable from this machine only",
            f'set listen in [nginx]: "{_FORMER_DEFAULT}" keeps it so, "{port}" is every address, of IPv6 too',
        )
    said = {*config.nginx.listen, *config.nginx.https_listen}
    text = files.read(paths.nginx_conf) or ""
    for address in [*plain(config, paths), *secure(config, paths)]:
        port, is_new = listen.port(address), f"listen {address}" not in text
        if address.startswith(_EVERY_IPV6) and address not in said and is_new and _has_every_ipv4(text, port):
            yield warning(
                f"nginx will listen on port {port} of every IPv6 address of this machine, too",
                "a port alone is every address, and before 0.2 it was every address of IPv4",
                f'write "0.0.0.0:{port}" instead of "{port}" in [nginx] where nobody may come by IPv6',
            )


def _is_former(config: Config, paths: Layout) -> bool:
    """Return whether the text in place listens where the default once was, and no key says otherwise."""
    if config.nginx.listen_is_set or config.nginx.is_tls:
        return False
    return _has_every_ipv4(files.read(paths.nginx_conf) or "", listen.port(_FORMER_DEFAULT))


def _has_ipv6(paths: Layout) -> bool:
    """Return whether this machine has IPv6; where a unit's settings hide that, what the text in place says."""
    known = ipv6.is_there()
    return f"listen {_EVERY_IPV6}" in (files.read(paths.nginx_conf) or "") if known is None else known


def _has_every_ipv4(text: str, port: int) -> bool:
    """Return whether zdd's own text listens on a port of every address of IPv4."""
    # To parse a text of a thousand services would take a second.
    return re.search(rf"^ *listen (?:0\.0\.0\.0:|\*:)?{port}[ ;]", text, re.MULTILINE) is not None
