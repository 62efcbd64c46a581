"""The certificates that nginx has, as status and checks report them: hosts, issuer and days left."""

from __future__ import annotations

import time

import msgspec

from zdd.conf.schema import Config
from zdd.conf.units import DAY
from zdd.errors import UsageError, counted
from zdd.host import files
from zdd.layout import Layout
from zdd.nginx.certificates import choice, pem_files, x509
from zdd.nginx.certificates.state import CertificateState
from zdd.nginx.certificates.store import FILES
from zdd.nginx.config.tls import Certificate

SOON = 14  # days: authorities certify for 90 or 47 days, and renewing begins well before that


def states(config: Config, paths: Layout, now: float | None = None) -> list[CertificateState]:
    """Return the state of each certificate in nginx's text."""
    now = time.time() if now is None else now
    found = [_state(each, list(each.names), now) for each in choice.in_force(paths)]
    return [_with_news(config, paths, each) for each in found] if config.nginx.certificate else found


def placeholder(hosts: list[str]) -> CertificateState:
    """Return the state of hosts that have no certificate yet."""
    what = f"{_who(hosts)}: no certificate has been issued yet, so plain HTTP is served and not redirected"
    return CertificateState(hosts, [], None, None, None, placeholder=True, warning=what)


def _who(hosts: list[str]) -> str:
    return " and ".join(hosts[:3]) + (f" and {len(hosts) - 3} more" if len(hosts) > 3 else "") or "every host"


def _with_news(config: Config, paths: Layout, state: CertificateState) -> CertificateState:
    """Return the state, with a note on files that have changed since nginx got the certificate."""
    try:
        digest = pem_files.read(config.nginx).digest
    except UsageError as error:
        return msgspec.structs.replace(state, warning=f"{error.message}; nginx keeps the certificate that it has")
    if digest == choice.store(paths).current(FILES):
        return state
    if choice.chosen(config, paths) == digest:
        what = "has changed: `zddeploy certificates renew`, or the next deploy, gives it to nginx"
    else:
        what = "has changed, but nginx keeps the certificate that it has: `zddeploy check` says why"
    what = f"{config.nginx.certificate} {what}"
    return msgspec.structs.replace(state, warning=what)


def _state(certificate: Certificate, hosts: list[str], now: float) -> CertificateState:
    if certificate.is_placeholder:
        return placeholder(hosts)
    who = _who(hosts)
    try:
        first = x509.read(files.read(certificate.certificate) or "")[0]
    except (ValueError, OSError) as error:
        what = f"{who}: the certificate {certificate.certificate} cannot be read: {error}"
        return CertificateState(hosts, [], None, None, None, placeholder=False, problem=what)
    problems = [f"the certificate of {who} {problem}" for problem in x509.refused(first, hosts, now)]
    left = int((first.ends - now) // DAY)
    is_soon = not problems and left < SOON
    warning = f"the certificate of {who} expires in {counted(left, 'day')}" if is_soon else None
    problem = "; ".join(problems) or None
    return CertificateState(hosts, list(first.names), first.issued_by, first.ends, left, False, problem, warning)
