"""The ways to the names of a server block: plain or by HTTPS, served or redirected."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from zdd.conf import hosts
from zdd.conf.check_tls import CHALLENGES
from zdd.nginx.config import health_address, tls
from zdd.nginx.config.setup import Setup
from zdd.nginx.config.tls import Certificate, Tls
from zdd.nginx.config.upstream import quoted
from zdd.nginx.config.version import Version

IS_PLAIN = "$zdd_is_plain"
"""The variable that is 1 for a request that is to be redirected, where a trusted proxy may have ended TLS."""

_NO_NAME = "_"  # the default server's, for every other host


def http_lines(setup: Setup) -> str:
    """Return the line for the http level that defines `IS_PLAIN`, if anything uses it."""
    if not (setup.tls and setup.trust.proxies):
        return ""
    spared = [f"~^\\S+ {re.escape(path)}" for path in (CHALLENGES, f"{health_address.PATH} ")]
    values = "".join(f'{quoted(pattern)} ""; ' for pattern in ["~^https ", *spared])
    return f'map "{setup.trust.scheme} $uri " {IS_PLAIN} {{ default 1; {values}}}\n'


class Door(Struct, frozen=True):
    """
    One way to these names: the lines that listen, and the add_header lines for each block that has one.

    With a `target` requests are redirected to that scheme and host; `may_be_secure`: but for those of visitors for whom
    a trusted proxy has ended TLS, who would be redirected for ever. `is_closed`: what the lines say is all, no location
    follows. `has_challenges`: the authority's challenges are answered there, by HTTPS too: a proxy before this nginx
    may redirect the authority there.
    """

    names: Sequence[str]
    lines: Sequence[str]
    header: str
    target: str | None = None
    may_be_secure: bool = False
    is_closed: bool = False
    has_challenges: bool = False

    @property
    def is_default(self) -> bool:
        """Whether it is that of all hosts that no service names."""
        return list(self.names) == [_NO_NAME]


def of(setup: Setup, version: Version, names: Sequence[str], serves: bool) -> list[Door]:
    """
    Return the doors to names with the same routes; `["_"]` is every other host.

    Without `serves` no route leads anywhere: such a host has no certificate, and is not redirected to one.
    """
    canonical = setup.canonical_host if setup.canonical_host in names else None
    words = " default_server" if names == [_NO_NAME] else ""
    words += " proxy_protocol" if setup.trust.proxy_protocol else ""
    plain = _plain(setup, names, canonical if serves else None, serves, words)
    return plain + (_secure(setup, setup.tls, version, names, canonical, serves, words) if setup.tls else [])


def _plain(setup: Setup, names: Sequence[str], canonical: str | None, serves: bool, words: str) -> list[Door]:
    groups: dict[tuple[str | None, bool], list[str]] = {}
    for name in names:
        target = _plain_target(setup, name, canonical) if serves else None
        is_another = canonical is not None and name != canonical  # it is redirected, whoever has ended TLS
        may_be_secure = bool(target and target.startswith("https:") and setup.trust.proxies and not is_another)
        groups.setdefault((target, may_be_secure), []).append(name)
    lines = [f"listen {address}{words};" for address in setup.listen]
    header = setup.mark.header() if setup.mark else ""
    has_challenges = setup.acme_folder is not None
    return [
        Door(own, lines, header, target, may_be_secure, has_challenges=has_challenges)
        for (target, may_be_secure), own in sorted(groups.items(), key=lambda item: (item[0][0] or "", item[0][1]))
    ]


def _plain_target(setup: Setup, name: str, canonical: str | None) -> str | None:
    """Return where plain requests for a name are redirected to; HTTPS only where browsers accept the certificate."""
    is_other = canonical is not None and name != canonical
    if setup.tls:
        if not _is_proper(setup.tls.certificate(canonical or name)):
            return None
        if setup.tls.redirect:
            return f"https://{canonical or '$host'}{setup.tls.port}"
    return f"{setup.trust.scheme}://{canonical}" if is_other else None


def _secure(
    setup: Setup, own: Tls, version: Version, names: Sequence[str], canonical: str | None, serves: bool, words: str
) -> list[Door]:
    listens, mark = tls.listens(own, version, words), setup.mark.header() if setup.mark else ""
    if not serves:
        closed = Door(names, [*listens, *tls.rejection(own, version, _nameless(setup, own))], mark, is_closed=True)
        return [closed] if closed.is_default else []
    groups: dict[tuple[str | None, str], tuple[Certificate, list[str]]] = {}
    for name in names:
        if certificate := own.certificate(name):
            is_other = canonical and name != canonical and _is_proper(own.certificate(canonical))
            target = f"https://{canonical}{own.port}" if is_other else None
            groups.setdefault((target, certificate.certificate), (certificate, []))[1].append(name)
    doors = []
    for (target, _), (certificate, alike) in groups.items():
        header = "\n".join(filter(None, [mark, tls.header(own, certificate)]))
        lines = [*listens, *tls.files(certificate)]
        doors.append(Door(alike, lines, header, target, has_challenges=setup.acme_folder is not None))
    return doors


def _nameless(setup: Setup, own: Tls) -> Certificate | None:
    """Return what clients that say no name are shown: that of the address which is a service's host, if one is."""
    given = (name for route in setup.routes for name in route.hosts or setup.server_name)
    address = next((name for name in given if hosts.is_address(name)), None)
    return own.certificate(address) if address else None


def _is_proper(certificate: Certificate | None) -> bool:
    return certificate is not None and not certificate.is_placeholder
