"""The certificates that nginx has, as status and checks tell of them: for whom, by whom, and for how long."""

from __future__ import annotations

import time

import msgspec

from zdd.conf.schema import Config
from zdd.errors import counted
from zdd.host import files
from zdd.layout import Layout
from zdd.nginx import certificates, x509
from zdd.nginx.certificates import Certificate

DAY = 86400
SOON = 14  # days: authorities certify for 90 or 47 days, and renewing begins well before that


class CertificateState(msgspec.Struct, frozen=True):
    """
    A certificate that stands in nginx's text, and the hosts it is there for.

    `ends` is as of time.time(), `days_left` below 0 once it has expired; both are None for a placeholder and for what
    cannot be read. `problem` is a sentence if browsers refuse it, `warning` if they will soon.
    """

    hosts: list[str]
    names: list[str]
    issuer: str | None
    ends: float | None
    days_left: int | None
    placeholder: bool
    problem: str | None = None
    warning: str | None = None


def states(config: Config, paths: Layout, now: float | None = None) -> list[CertificateState]:
    """Return the state of each certificate in nginx's text."""
    now = time.time() if now is None else now
    served = certificates.hosts(config)
    return [_state(each, list(each.names) or served, now) for each in certificates.in_force(config, paths)]


def _state(certificate: Certificate, hosts: list[str], now: float) -> CertificateState:
    who = " and ".join(hosts[:3]) + (f" and {len(hosts) - 3} more" if len(hosts) > 3 else "") or "every host"
    if certificate.is_placeholder:
        what = f"{who}: no certificate has been issued yet, so plain HTTP is served and not redirected"
        return CertificateState(hosts, [], None, None, None, placeholder=True, warning=what)
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
