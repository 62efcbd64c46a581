"""
The certificates below S that zdd's own nginx reads. Each is a pair of files in a folder named by its content.

    S/certificates/shop.example.org/1f0c.../certificate.pem, key.pem
    S/certificates/shop.example.org/current -> 1f0c...          replacing this link puts another pair in force

So certificate and key always belong together, whenever nginx reads them: a crash or a full disk leaves the former pair
in force. nginx's text names the folder with the content's digest, so that a new certificate is a new text, which makes
nginx reload; and an older text still finds its own.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Sequence
from typing import NamedTuple

from zdd.host import files, trees
from zdd.nginx.config.tls import Certificate

PLACEHOLDER = "_placeholder"  # no name of a host: certified ones have no "_"
FILES = "_files"  # the pair that the configuration names

_CURRENT = "current"
_CERTIFICATE, _KEY = "certificate.pem", "key.pem"
_DIGITS = 16


class Pair(NamedTuple):
    """A certificate with its chain, and its key, as PEM."""

    certificate: str
    key: str

    @property
    def digest(self) -> str:
        """The pair's name: a hash of the certificate, which has one key."""
        return hashlib.sha256(self.certificate.encode()).hexdigest()[:_DIGITS]


class CertificateStore:
    """All pairs below one folder, by name: a host, or one of the names above."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def current(self, name: str) -> str | None:
        """Return the digest of the pair in force, None if there is none."""
        try:
            digest = os.readlink(f"{self.folder}/{name}/{_CURRENT}")
        except OSError:
            return None
        return digest if self.has(name, digest) else None

    def has(self, name: str, digest: str) -> bool:
        """Return whether this pair is there."""
        return all(os.path.isfile(path) for path in self._paths(name, digest))

    def holds(self, name: str, pair: Pair) -> bool:
        """Return whether this pair, with this very key, is in force."""
        return self.current(name) == pair.digest and files.read(self._paths(name, pair.digest)[1]) == pair.key

    def certificate(self, name: str, digest: str, hosts: Sequence[str]) -> Certificate:
        """Return the pair as the text names it, whether it is there already or not."""
        certificate, key = self._paths(name, digest)
        return Certificate(hosts, certificate, key, is_placeholder=name == PLACEHOLDER)

    def placeholder(self, hosts: Sequence[str]) -> Certificate:
        """Return the placeholder as the text names it, whether it is there already or not."""
        return self.certificate(PLACEHOLDER, _CURRENT, hosts)

    def read(self, name: str) -> str | None:
        """Return the PEM of the certificate in force, None if there is none."""
        digest = self.current(name)
        return files.read(self._paths(name, digest)[0]) if digest else None

    def install(self, name: str, pair: Pair, keep: Collection[str] = ()) -> None:
        """
        Put a pair in force, the key for us alone. Idempotent; raises OSError, and then the former pair is in force.

        Of the other pairs of this name only those are kept whose digests a text in `keep` has, and the one before.
        """
        former, digest = self.current(name), pair.digest
        certificate, key = self._paths(name, digest)
        for folder in (self.folder, f"{self.folder}/{name}", os.path.dirname(key)):
            files.open_folder(folder, 0o700, never=0o077)
        if not self.has(name, digest):
            files.write(key, pair.key, 0o600, sync=True)
            files.write(certificate, pair.certificate, 0o600, sync=True)
        files.point(f"{self.folder}/{name}/{_CURRENT}", digest)
        for other in os.listdir(f"{self.folder}/{name}"):
            if other not in (_CURRENT, digest, former) and not any(other in text for text in keep):
                trees.remove(f"{self.folder}/{name}/{other}")

    def go_back(self, name: str, digest: str | None) -> None:
        """Put a former pair in force, or none: what `install` has done is undone. Idempotent."""
        if digest:
            files.point(f"{self.folder}/{name}/{_CURRENT}", digest)
        else:
            files.remove(f"{self.folder}/{name}/{_CURRENT}")

    def _paths(self, name: str, digest: str) -> tuple[str, str]:
        folder = f"{self.folder}/{name}/{digest}"
        return f"{folder}/{_CERTIFICATE}", f"{folder}/{_KEY}"
