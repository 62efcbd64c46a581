"""What is wrong with the certificates of zdd's own nginx, reported before a new one is put in force."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path

from zdd.conf.schema import Config
from zdd.conf.units import DAY
from zdd.errors import UsageError
from zdd.finding import Finding, error, fine, warning
from zdd.host import reach
from zdd.layout import Layout
from zdd.nginx.certificates import choice, pem_files, report, x509
from zdd.nginx.certificates.report import SOON
from zdd.nginx.certificates.store import FILES, Pair
from zdd.nginx.certificates.x509 import ORDER, X509

_BROWSERS = "browsers refuse to show the site"
_EXPIRED = "browsers refuse to show the site until there is a new one"


def findings(config: Config, paths: Layout) -> Iterator[Finding]:
    """Yield what `check` says: of the files that the configuration names, and of what nginx has."""
    new = list(of_files(config, paths)) if config.nginx.certificate else []
    yield from new
    for state in report.states(config, paths):
        hosts = ", ".join(state.hosts) or "every host"
        if state.problem and not new:
            yield error(state.problem, _BROWSERS, _cure(config, state.problem))
        elif state.warning and not new:
            yield warning(state.warning, "then browsers refuse to show the site", _cure(config))
        elif state.days_left is not None and not state.problem:
            yield fine(f"certificate of {hosts}, by {state.issuer or 'nobody known'}: {state.days_left} days left")


def refused(config: Config, paths: Layout) -> Iterator[Finding]:
    """Yield what a deploy is refused for: that the files of the configuration cannot be used, or browsers would not."""
    if not config.nginx.certificate:
        return
    digest = _digest(config)
    is_in_force = digest is not None and digest == choice.store(paths).current(FILES)
    for finding in of_files(config, paths):
        if finding.level == "error" and not (is_in_force and finding.why == _EXPIRED):
            yield finding


def notices(config: Config, paths: Layout) -> Iterator[Finding]:
    """Yield that nginx keeps the certificate that it has, as the files of the configuration are of no use."""
    current = choice.store(paths).current(FILES) if config.nginx.certificate else None
    if current is None or _digest(config) == current or choice.chosen(config, paths) != current:
        return
    for finding in of_files(config, paths):
        if finding.level == "error":
            yield warning(f"nginx keeps the certificate that it has: {finding.what}", finding.why, finding.fix)
            return


def _digest(config: Config) -> str | None:
    """Return what names the pair in the files of the configuration, None if they cannot be read."""
    try:
        return pem_files.read(config.nginx).digest
    except UsageError:
        return None


def of_files(config: Config, paths: Layout) -> Iterator[Finding]:
    """Yield what is wrong with the files that the configuration names."""
    nginx = config.nginx
    try:
        pair = pem_files.read(nginx)
        if not choice.store(paths).holds(FILES, pair):
            pem_files.require_match(nginx, pair)
        chain = x509.read(pair.certificate)
    except UsageError as problem:
        yield error(problem.message, "nginx cannot work with it", problem.hint or "")
        return
    except ValueError as problem:
        yield error(f"certificate {nginx.certificate}: {problem}", "nginx cannot work with it", "replace the file")
        return
    yield from _dates(config, chain[0])
    yield from _names(config, chain[0])
    found = list(_order(config, chain)) or list(_chain(config, pair, paths))
    yield from found or _issuers(config, chain)
    yield from _key(config)


def _dates(config: Config, first: X509) -> Iterator[Finding]:
    what, now = f"certificate {config.nginx.certificate}", time.time()
    for problem in x509.refused(first, [], now):
        yield error(f"{what} {problem}", _EXPIRED, _cure(config, problem))
    left = int((first.ends - now) // DAY)
    if 0 <= left < SOON and now < first.ends:
        yield warning(f"{what} expires in {left} days", "then browsers refuse to show the site", _cure(config))


def _names(config: Config, first: X509) -> Iterator[Finding]:
    now = (first.begins + first.ends) / 2
    for problem in x509.refused(first, choice.hosts(config), now):
        what = f"certificate {config.nginx.certificate} {problem}"
        yield error(what, "browsers refuse it for that host", "have it issued for all hosts of the services")


def _order(config: Config, chain: list[X509]) -> Iterator[Finding]:
    what = f"certificate {config.nginx.certificate}"
    for number, (own, above) in enumerate(itertools.pairwise(chain), 2):
        if own.issuer != above.subject:
            yield error(
                f"{what} has its chain in a wrong order: number {number} in it is not the issuer of the one before",
                "many clients refuse it",
                f"write them in order: {ORDER}",
            )
            return
    if len(chain) == 1 and not chain[0].is_self_signed:
        yield warning(
            f"{what} holds one certificate, without those that lead to a root",
            "browsers often find them by themselves; phones, curl and other programs refuse the site",
            f"use the authority's full chain in one file: {ORDER}",
        )


def _chain(config: Config, pair: Pair, paths: Layout) -> Iterator[Finding]:
    if choice.store(paths).holds(FILES, pair):  # it was looked at
        return
    from zdd.nginx.certificates import chain  # here, because only a new certificate is looked at so closely

    try:
        chain.require(config.nginx, pair)
    except UsageError as problem:
        yield error(problem.message, "many clients refuse it", problem.hint or "")


def _issuers(config: Config, chain: list[X509]) -> Iterator[Finding]:
    """
    Yield which of the certificates above the first one have expired.

    Without its issuer nobody accepts it; of those above that, clients have others, by which Let's Encrypt lived on when
    an old root had expired.
    """
    for number, above in enumerate(chain[1:], 2):
        for problem in x509.refused(above, [], max(time.time(), above.begins)):
            what = f"certificate {config.nginx.certificate}: number {number} in it, of its chain, {problem}"
            fix = f"use the authority's chain of today: {ORDER}"
            yield error(what, _EXPIRED, fix) if number == 2 else warning(what, "old clients refuse it", fix)


def _key(config: Config) -> Iterator[Finding]:
    key = str(config.nginx.certificate_key)
    if mode := pem_files.readable_by_others(key):
        yield error(
            f"every user of this machine can read certificate_key {key} (mode {mode})",
            "whoever has it can pretend to be this site",
            f"`chmod 600 {key}`",
        )
    elif place := _changeable(config, key):
        yield warning(
            f"others than root can change certificate_key {key} ({place})",
            "whoever has it, or puts another one there, can pretend to be this site",
            "let only root own and write it, and the folders above it",
        )
    source = config.release.source if config.release else ""
    if source.startswith("/") and Path(key).is_relative_to(source):
        yield error(
            f"certificate_key {key} lies below source {source}",
            "each release would have a copy of it, which the apps can read",
            "move it to a folder of its own, such as one below /etc",
        )


def _changeable(config: Config, key: str) -> str | None:
    """Return what of the key's path others could change, where root deploys; but not if the configuration is theirs."""
    place = reach.changeable(key, 0, 0) if os.geteuid() == 0 else None
    return None if place == reach.changeable(str(config.path), 0, 0) else place


def _cure(config: Config, problem: str = "") -> str:
    own = f"put a new one at {config.nginx.certificate}, then `zddeploy`" if config.nginx.certificate else ""
    if x509.TOO_EARLY in problem:
        # Authorities date certificates back, so nearly always the clock is wrong. A renewal would change nothing.
        return f"set the clock (`timedatectl`) if it is wrong; else {own or 'wait until then'}"
    return own or "`zddeploy certificates renew`"
