"""The certificate and the key that the configuration names as files, checked before nginx gets them."""

from __future__ import annotations

import codecs
import os
import re
import stat
import time
from collections.abc import Sequence

from zdd.conf.nginx_section import NginxSection
from zdd.errors import UsageError
from zdd.host import foreign
from zdd.nginx.certificates import other_forms, server_context, x509
from zdd.nginx.certificates.store import FILES, CertificateStore, Pair

_LARGEST = 1 << 20  # bytes
_KINDS = {"certificate": "CERTIFICATE-----", "certificate_key": "PRIVATE KEY-----"}  # the end of a line in PEM

_GLUED = re.compile(r"-----(?=-----BEGIN)")  # `cat` of files without a line feed at their end
# What OpenSSL says of the key of another certificate; the latter, if one is of RSA and the other of ECDSA.
_MISMATCHES = ("KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


def usable(nginx: NginxSection, known: CertificateStore, hosts: Sequence[str]) -> Pair | None:
    """
    Return the content of the two files if nginx can work with it, else None.

    In the place of a pair that browsers accept for these hosts, it must be another such one.
    """
    try:
        pair = read(nginx)
        current = known.current(FILES)
        if current == pair.digest:
            return pair
        if not known.has(FILES, pair.digest):
            from zdd.nginx.certificates import chain  # here, because only a new certificate is looked at so closely

            require_match(nginx, pair)
            chain.require(nginx, pair)
    except UsageError:
        return None
    is_worse = _is_refused(pair.certificate, hosts) and not _is_refused(known.read(FILES), hosts)
    return None if current and is_worse else pair


def _is_refused(pem: str | None, hosts: Sequence[str]) -> bool:
    try:
        chain, now = x509.read(pem or ""), time.time()
        return any(x509.refused(chain[0], hosts, now)) or any(each.ends <= now for each in chain[1:2])
    except ValueError:
        return True


def read(nginx: NginxSection) -> Pair:
    """
    Return the content of the two files. Raises UsageError if one of them cannot be read, or is something else.

    nginx gets copies, in which what OpenSSL cannot read is put right: a byte order mark, and two blocks on one line.
    """
    return Pair(_text("certificate", nginx), _text("certificate_key", nginx))


def _text(key: str, nginx: NginxSection) -> str:
    path = getattr(nginx, key)
    try:
        data = foreign.data(str(path), _LARGEST)
    except OSError as error:
        raise UsageError(
            f"cannot read {key} {path}: {error.strerror}", hint="nginx reads it as the user who runs zddeploy"
        ) from error
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if is_wide else "utf-8-sig", "replace")
    if _KINDS[key] not in text:
        what = "private key" if key == "certificate_key" else "certificate"
        raise UsageError(
            f"{key} {path} holds no {what} in PEM, which has a line such as -----BEGIN {_KINDS[key]}",
            hint=other_forms.hint(str(path), data, text, is_key=key == "certificate_key"),
        )
    return _GLUED.sub("-----\n", text)


def require_match(nginx: NginxSection, pair: Pair) -> None:
    """
    Raise UsageError if the key is not the certificate's, or if OpenSSL cannot read one of them.

    It looks at the pair that was read, and not at the files once more: they may be replaced just now.
    """
    import ssl  # here, because only a new certificate is compared with its key

    key = nginx.certificate_key
    both = f"certificate {nginx.certificate} and certificate_key {key}"
    try:
        server_context.made(pair)
    except server_context.Encrypted:
        raise UsageError(
            f"certificate_key {key} is encrypted, and nobody types its password when nginx starts",
            hint=f"write it without: `openssl pkey -in {key} -out NEW.pem`",
        ) from None
    except ssl.SSLError as error:
        if error.reason in _MISMATCHES:
            raise UsageError(
                f"{both} do not belong together: the key is another certificate's",
                hint="the host's own certificate must be the first in its file, before those of its chain",
            ) from None
        hint = "what stands between BEGIN and END is damaged, or its line breaks are lost: copy the file once more"
        what = f"{both} cannot be used: OpenSSL says {error.reason or error}"
        raise UsageError(what, hint=None if error.reason else hint) from None


def readable_by_others(path: str) -> str | None:
    """Return the mode of a file that every user of this machine can read, None if they cannot."""
    path = os.path.realpath(path)
    mode = os.stat(path).st_mode
    folder = os.path.dirname(path)
    while folder != "/":
        if not os.stat(folder).st_mode & stat.S_IXOTH:
            return None
        folder = os.path.dirname(folder)
    return f"{mode & 0o777:o}" if mode & stat.S_IROTH else None
