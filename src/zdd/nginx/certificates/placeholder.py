"""
The self-signed certificate that stands for a host until a certificate authority has issued a proper one.

The `openssl` program makes it: Python's standard library cannot, and every system that has ca-certificates has it.
"""

from __future__ import annotations

import os

from zdd.errors import UsageError
from zdd.host import files, foreign
from zdd.host.command import Commands, which
from zdd.nginx.certificates.store import PLACEHOLDER, CertificateStore, Pair

_YEARS = 20 * 365  # in days; it says nothing to anybody, so it need never be renewed


def require(store: CertificateStore) -> None:
    """Raise UsageError if the placeholder is neither there nor can be made."""
    if store.current(PLACEHOLDER) is None and which("openssl") is None:
        raise UsageError(
            "found no openssl program, which makes the certificate that stands there until the first one is issued",
            hint="install it: `apt install openssl`",
        )


def make(store: CertificateStore, commands: Commands) -> None:
    """Make the placeholder unless it is there. Raises UsageError."""
    if store.current(PLACEHOLDER) is not None:
        return
    import tempfile  # here, because it imports much

    require(store)
    files.open_folder(store.folder, 0o700, never=0o077)
    with tempfile.TemporaryDirectory(dir=store.folder, prefix="_") as folder:
        names = f"{folder}/certificate", f"{folder}/key"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        subject = ["-subj", "/CN=no certificate has been issued yet", "-days", str(_YEARS)]
        argv = ["openssl", "req", "-x509", *curve, *subject, "-out", names[0], "-keyout", names[1]]
        result = commands.run(argv, cwd=folder, env={"PATH": os.environ.get("PATH", os.defpath), "HOME": folder})
        if result.status != 0:
            raise UsageError(f"openssl made no certificate: {result.output.strip()[-300:]}")
        certificate, key = (foreign.text(name) for name in names)
    store.install(PLACEHOLDER, Pair(certificate, key))
