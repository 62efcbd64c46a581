"""Whether a certificate really leads to those that stand after it in its file, as clients look at it."""

from __future__ import annotations

import ssl

from zdd.conf.nginx_section import NginxSection
from zdd.errors import UsageError
from zdd.nginx.certificates import server_context
from zdd.nginx.certificates.store import Pair
from zdd.nginx.certificates.x509 import ORDER, blocks

_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME: dates are looked at elsewhere, with the name of what has expired


def require(nginx: NginxSection, pair: Pair) -> None:
    """
    Raise UsageError if a client that trusts the last certificate in the file does not accept the first one.

    So it finds an issuer of the same name with another key, and a certificate that is not for servers. Where the file
    holds one certificate alone, nothing can be said. The pair belongs together, see pem_files.require_match.
    """
    above = blocks(pair.certificate)[1:]
    if not above:
        return
    try:
        _shake_hands(pair, f"-----BEGIN CERTIFICATE-----{above[-1]}-----END CERTIFICATE-----")
    except ssl.SSLCertVerificationError as error:
        raise UsageError(
            f"certificate {nginx.certificate} does not stand up to its own chain: OpenSSL says {error.verify_message}",
            hint=f"use the authority's full chain in one file, as it came with the certificate: {ORDER}",
        ) from None
    except ssl.SSLError:  # this Python's OpenSSL cannot work with it, which says nothing of its chain
        return


def _shake_hands(pair: Pair, trusted: str) -> None:
    """Connect a server with this pair to a client that trusts one certificate, without a socket."""
    client, server = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), server_context.made(pair)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(_NO_CHECK_TIME)
    client.load_verify_locations(cadata=trusted)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    asks = client.wrap_bio(down, up, server_side=False)
    answers = server.wrap_bio(up, down, server_side=True)
    for end in (asks, answers, asks):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
