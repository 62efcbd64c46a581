"""The certificates issued by ACME: which each host has now, and whether it is due for renewal."""

from __future__ import annotations

from typing import NamedTuple

from zdd.conf.units import DAY
from zdd.nginx.certificates import x509
from zdd.nginx.certificates.store import CertificateStore
from zdd.nginx.certificates.x509 import X509

_BEFORE_ITS_END = 30 * DAY  # seconds before a certificate's end at which it is renewed,
_SHARE = 3  # or this part of its life, if that is shorter


class Held(NamedTuple):
    """The certificate in force for a host; None while the placeholder stands in for it."""

    host: str
    certificate: X509 | None

    def is_valid(self, now: float) -> bool:
        """Return whether browsers accept the certificate's names and dates at this time."""
        held = self.certificate
        return held is not None and held.covers(self.host) and held.begins <= now < held.ends

    def is_due(self, now: float) -> bool:
        """Return whether the certificate is due for renewal; one that is not valid yet (a wrong clock) is not."""
        held = self.certificate
        if held is None or not held.covers(self.host):
            return True
        return held.ends - now <= min(_BEFORE_ITS_END, (held.ends - held.begins) / _SHARE)


def held(store: CertificateStore, host: str) -> Held:
    """Return the host's certificate in force; one that cannot be read counts as none."""
    try:
        return Held(host, read(store.read(host) or ""))
    except OSError:
        return Held(host, None)


def read(pem: str) -> X509 | None:
    """Return the first certificate of the text, None if there is none that can be read."""
    try:
        return x509.read(pem)[0]
    except ValueError:
        return None
