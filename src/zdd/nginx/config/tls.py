"""
HTTPS in zdd's own text: the certificates, and the lines that they need.

Protocols, ciphers and curves are those of Mozilla's intermediate configuration (guideline 6.0,
https://wiki.mozilla.org/Security/Server_Side_TLS): every client since about 2014, nothing without forward secrecy. Its
X25519MLKEM768, against which no quantum computer is known to help, is in OpenSSL from 3.5 on. An older one refuses the
whole line, so it stands there only for an nginx that has it; "?" is for an OpenSSL of that version that was built
without it. Tickets are off, as nginx never changes the key that they are encrypted with.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from zdd.nginx.config import listen
from zdd.nginx.config import version as versions
from zdd.nginx.config.upstream import quoted
from zdd.nginx.config.version import Version

HTTPS_PORT = 443

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
_GROUPS = "X25519:prime256v1:secp384r1"
_HYBRID = "?X25519MLKEM768"
_LINES = """\
ssl_protocols TLSv1.2 TLSv1.3;
ssl_ciphers {ciphers};
ssl_prefer_server_ciphers off;  # clients know best which of these is fast for them
ssl_ecdh_curve {groups};
ssl_session_timeout 1d;
ssl_session_cache shared:zdd_tls:10m;
ssl_session_tickets off;
"""
# An app may say it by itself, for example with includeSubDomains; the first of two such headers is what counts.
_HSTS = """\
map $upstream_http_strict_transport_security $zdd_hsts {{ default ""; "" "max-age={seconds}"; }}
"""
_HSTS_WRITTEN = r'(?m)^ *map .* \$zdd_hsts .*"max-age=([0-9]{1,10})"'
_HSTS_HEADER = "add_header Strict-Transport-Security $zdd_hsts always;"


class Certificate(Struct, frozen=True):
    """
    A certificate with its chain, and its key: files of PEM, by absolute paths.

    `names` are the hosts that it is for, as nginx compares them; without any it is for every host. Browsers do not
    accept a placeholder: it stands there until the first certificate has been issued.
    """

    names: Sequence[str]
    certificate: str
    key: str
    is_placeholder: bool = False


class Tls(Struct, frozen=True):
    """
    How zdd's own text speaks HTTPS.

    `listen` as in Setup. `redirect`: plain requests are redirected. `hsts`: seconds, 0 for no such header. While a host
    has only a placeholder, neither holds for it. `has_hybrid`: this nginx's OpenSSL knows X25519MLKEM768.
    """

    listen: Sequence[str]
    certificates: Sequence[Certificate]
    redirect: bool = True
    hsts: int = 0
    has_hybrid: bool = False

    def certificate(self, name: str) -> Certificate | None:
        """Return the certificate for a host, None if there is none."""
        own = next((each for each in self.certificates if name in each.names), None)
        return own or next((each for each in self.certificates if not each.names), None)

    @property
    def port(self) -> str:
        """What follows the host in a URL: nothing for the port that browsers take by themselves."""
        ports = [listen.port(address) for address in self.listen]
        return "" if HTTPS_PORT in ports else f":{ports[0]}"


def http_lines(tls: Tls, version: Version) -> str:
    """Return the lines for the http level."""
    groups = f"{_HYBRID}:{_GROUPS}" if tls.has_hybrid else _GROUPS
    lines = _LINES.format(ciphers=":".join(CIPHERS), groups=groups)
    lines += _HSTS.format(seconds=tls.hsts) if tls.hsts else ""
    if version < versions.KEEPALIVE_OF_HTTP2:
        lines += "http2_max_requests 100000;  # as keepalive_requests, which is for HTTP/2 later on\n"
    return lines.rstrip()


def listens(tls: Tls, version: Version, default: str = "") -> list[str]:
    """Return the `listen` lines of a server block; `default` is " default_server" or nothing."""
    if version >= versions.HTTP2_DIRECTIVE:
        return [*(f"listen {address} ssl{default};" for address in tls.listen), "http2 on;"]
    return [f"listen {address} ssl http2{default};" for address in tls.listen]


def files(certificate: Certificate) -> list[str]:
    """Return the lines that name a certificate's files."""
    return [
        f"ssl_certificate {quoted(certificate.certificate)};",
        f"ssl_certificate_key {quoted(certificate.key)};",
    ]


def header(tls: Tls, certificate: Certificate) -> str:
    """Return the line for each block that has an add_header of its own; empty if browsers are told nothing."""
    return _HSTS_HEADER if tls.hsts and not certificate.is_placeholder else ""


def hsts_of(text: str) -> int:
    """Return for how many seconds a text of zdd's tells browsers to ask by HTTPS alone; 0 if it does not."""
    found = re.search(_HSTS_WRITTEN, text)
    return int(found[1]) if found else 0


def rejection(tls: Tls, version: Version, nameless: Certificate | None = None) -> list[str]:
    """
    Return the lines of a server block that serves no name: nobody learns from it what else there is.

    A client that has shaken hands for another name, and then asks for this one, gets 421, which makes it connect again.
    `nameless` is shown to clients that say no name.
    """
    if nameless:
        return [*files(nameless), "return 421;"]
    if version >= versions.REJECT_HANDSHAKE:
        return ["ssl_reject_handshake on;", "return 421;"]
    return [*files(tls.certificates[0]), "return 444;"]
