"""
What a certificate says: for which names, by whom, from when to when (RFC 5280), read from PEM.

Python's standard library reads certificates only on a connection. This reads what status and checks need, and verifies
nothing: that is what nginx's clients do.
"""

from __future__ import annotations

import base64
import datetime
import re
import socket
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_PEM = re.compile("-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----(.*?)-----END", re.DOTALL)

# Tags of DER (X.690)
_TIME_WITHOUT_CENTURY, _EXTENSIONS, _VERSION = 0x17, 0xA3, 0xA0
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87
# Object identifiers, encoded
_ALTERNATIVE_NAMES = b"\x55\x1d\x11"
_COMMON_NAME, _ORGANIZATION = b"\x55\x04\x03", b"\x55\x04\x0a"
_CENTURY = 50  # of two digits for a year, these and all above mean 19xx


class X509(NamedTuple):
    """
    One certificate. `names` are what browsers compare: DNS names in lower case, and addresses.

    `begins` and `ends` are as of time.time(). `subject` and `issuer` are the encoded names, to be compared.
    """

    names: tuple[str, ...]
    issued_by: str
    begins: float
    ends: float
    subject: bytes
    issuer: bytes

    @property
    def is_self_signed(self) -> bool:
        """Return whether the certificate names itself as its issuer."""
        return self.subject == self.issuer

    def covers(self, host: str) -> bool:
        """
        Return whether browsers accept the certificate for this host; a `*` in its names stands for one label.

        For a host that is a wildcard itself: whether it has that wildcard.
        """
        host = host.lower().rstrip(".").strip("[]")
        above = "*." + host.partition(".")[2]
        return host in self.names or above in self.names


ORDER = "the host's own first, then the one that issued it, and so on"  # how a file has its certificates
TOO_EARLY = "is valid only from"  # how `refused` says that it is not valid yet


def read(pem: str) -> list[X509]:
    """Return the certificates in their order. Raises ValueError if there is none, or one that cannot be read."""
    found = []
    for number, block in enumerate(blocks(pem), 1):
        try:
            found.append(_certificate(base64.b64decode("".join(block.split()), validate=True)))
        except (ValueError, LookupError):
            raise ValueError(f"certificate {number} in it is damaged") from None
    if not found:
        raise ValueError("it holds no certificate")
    return found


def blocks(pem: str) -> list[str]:
    """
    Return what stands between BEGIN and END of each certificate that OpenSSL takes, and so nginx.

    The first one may have any of the three forms; after it, OpenSSL passes over those of the form TRUSTED.
    """
    found = _PEM.findall(pem)
    return [block for number, (form, block) in enumerate(found) if number == 0 or form != "TRUSTED "]


def refused(certificate: X509, hosts: Sequence[str], now: float) -> Iterator[str]:
    """Yield why browsers refuse this certificate for these hosts now: the rest of a sentence about it."""
    if now >= certificate.ends:
        yield f"has expired, on {_day(certificate.ends)}"
    if now < certificate.begins:
        yield f"{TOO_EARLY} {_day(certificate.begins)} on (is this machine's clock right?)"
    # What a regular expression or a wildcard at the end matches, nobody can compare.
    known = [host for host in hosts if not host.startswith("~") and not host.endswith("*")]
    if missing := [host for host in known if not certificate.covers(host)]:
        names = ", ".join(certificate.names[:5]) or "no name at all"
        yield f"is not for {' and '.join(missing[:5])}; it is for {names}"


def _certificate(der: bytes) -> X509:
    fields = list(_items(_inside(_inside(der))))
    if fields[0][0] == _VERSION:
        del fields[0]
    _serial, _algorithm, (_, issuer), (_, validity), (_, subject), *rest = fields
    begins, ends = (_time(tag, value) for tag, value in _items(validity))
    extensions = next((value for tag, value in rest if tag == _EXTENSIONS), None)
    names = tuple(_names(extensions)) if extensions else ()
    return X509(names, _who(issuer), begins, ends, subject, issuer)


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and the content of each value. Raises ValueError and IndexError for what is no DER."""
    at = 0
    while at < len(data):
        tag, length, start = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, start = int.from_bytes(data[start : start + size]), start + size
        at = start + length
        if at > len(data):
            raise ValueError("a value is longer than what contains it")
        yield tag, data[start:at]


def _inside(data: bytes) -> bytes:
    """Return the content of the first value."""
    return next(_items(data), (0, b""))[1]


def _names(extensions: bytes) -> Iterator[str]:
    for _, extension in _items(_inside(extensions)):
        (_, kind), *rest = _items(extension)
        if kind != _ALTERNATIVE_NAMES:
            continue
        for tag, name in _items(_inside(rest[-1][1])):
            if tag == _DNS_NAME:
                yield name.decode("ascii").lower()
            elif tag == _IP_ADDRESS:
                yield socket.inet_ntop(socket.AF_INET if len(name) == 4 else socket.AF_INET6, name)


def _who(name: bytes) -> str:
    """Return the organization and the common name in an encoded name, as far as it has them."""
    parts = {}
    for _, relative in _items(name):
        for _, pair in _items(relative):
            (_, kind), (_, value) = _items(pair)
            parts[kind] = value.decode("utf-8", "replace")
    return ", ".join(dict.fromkeys(parts[kind] for kind in (_ORGANIZATION, _COMMON_NAME) if kind in parts))


def _time(tag: int, value: bytes) -> float:
    text = value.decode("ascii")
    if tag == _TIME_WITHOUT_CENTURY:
        text = ("19" if int(text[:2]) >= _CENTURY else "20") + text
    parts = re.fullmatch(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z", text)
    if parts is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = map(int, parts.groups())
    return datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC).timestamp()


def _day(moment: float) -> str:
    return time.strftime("%d %B %Y, %H:%M UTC", time.gmtime(moment))
