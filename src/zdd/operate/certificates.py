"""The certificates of zdd's own nginx, and what became of the last try to renew them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator

import msgspec

from zdd.acme import attempts
from zdd.acme.attempts import Attempt
from zdd.acme.failure import utc
from zdd.errors import counted
from zdd.nginx.certificates import report
from zdd.nginx.certificates.state import CertificateState
from zdd.project import Project


class CertificateStatus(CertificateState, frozen=True):
    """A certificate, and the last try to get a newer one if that has failed, else None."""

    failed: Attempt | None = None


def look(project: Project) -> list[CertificateStatus]:
    """
    Return the certificates in nginx's text; of hosts that share the placeholder, each with its own failure.

    Whether their files have changed is asked of those that were deployed, which `renew` gives to nginx.
    """
    project = project.as_deployed(project.tables.current())
    failed = attempts.of(project.paths).all() if project.config.nginx.https == "auto" else {}
    return [
        CertificateStatus(**msgspec.structs.asdict(state), failed=failed.get(state.hosts[0]) if state.hosts else None)
        for each in project.proxy.certificates()
        for state in (_parted(each, failed) if each.placeholder else [each])
    ]


def _parted(shared: CertificateState, failed: Collection[str]) -> Iterator[CertificateState]:
    """Yield the placeholder of each host whose last try has failed, then that of all others."""
    yield from (report.placeholder([host]) for host in shared.hosts if host in failed)
    if others := [host for host in shared.hosts if host not in failed]:
        yield report.placeholder(others)


def failure_text(failed: Attempt, now: float) -> str:
    """Return why the last try failed, what to do, and when the next one is due."""
    again = f"; the next try is due on {utc(failed.next)}" if failed.next > now else ""
    return f"{failed.cause}; {failed.hint}{again}"


def notes(project: Project) -> list[str]:
    """Return a sentence for each host whose last try has failed."""
    now = time.time()
    return [
        f"the last try for a certificate of {host} failed: {failure_text(failed, now)}"
        for host, failed in attempts.of(project.paths).all().items()
    ]


def line(certificate: CertificateStatus) -> list[str]:
    """Return the cells of a line about a certificate: its hosts, who has issued it, and how long it lasts."""
    hosts = ", ".join(certificate.hosts) or "every host"
    if certificate.placeholder:
        return [hosts, "none has been issued yet", "the placeholder stands there"]
    if certificate.ends is None or certificate.days_left is None:
        return [hosts, "", certificate.problem or "cannot be read"]
    left = f"{counted(certificate.days_left, 'day')} left" if certificate.days_left >= 0 else "EXPIRED"
    return [hosts, certificate.issuer or "", f"{left}, until {utc(certificate.ends)}"]
