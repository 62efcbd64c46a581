"""
What a certificate says of itself (RFC 5280): for which names it is, from when until when, and whose it is.

Python's standard library reads that of a peer's certificate only. Nothing is verified: neither signature nor chain.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re
from collections.abc import Iterator
from typing import NamedTuple

_PEM = re.compile(r"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END")
_SEQUENCE, _OBJECT, _OCTETS, _UTC_TIME, _TIME = 0x30, 0x06, 0x04, 0x17, 0x18
_VERSION, _EXTENSIONS, _DNS_NAME = 0xA0, 0xA3, 0x82
_COMMON_NAME, _ORGANIZATION, _ALTERNATIVE_NAMES = b"\x55\x04\x03", b"\x55\x04\x0a", b"\x55\x1d\x11"
_BMP_STRING = 0x1E


class Facts(NamedTuple):
    """
    The first certificate of a file. Times as of time.time(); `since` and `until` are the first and the last moment.

    `names` are the DNS names, in small letters. `issuer` is the name of who has signed it, and so `subject` its own.
    """

    names: tuple[str, ...]
    issuer: str
    subject: str
    since: float
    until: float

    def covers(self, host: str) -> bool:
        """Return whether browsers accept it for this host (RFC 9525): a wildcard stands for one label."""
        host = host.lower().rstrip(".")
        return host in self.names or f"*.{host.partition('.')[2]}" in self.names

    def is_valid(self, now: float) -> bool:
        """Return whether it is valid at this time."""
        return self.since <= now <= self.until


def facts(pem: str) -> Facts:
    """Return what the first certificate in the text says. Raises ValueError if there is none that can be read."""
    found = _PEM.search(pem)
    if not found:
        raise ValueError("there is no certificate in PEM")
    try:
        return _facts(base64.b64decode("".join(found[1].split()), validate=True))
    except (binascii.Error, IndexError, StopIteration, UnicodeDecodeError, ValueError) as error:
        raise ValueError("the certificate is damaged") from error


def _facts(der: bytes) -> Facts:
    _, whole = next(_items(der))
    _, body = next(_items(whole))
    parts = list(_items(body))
    if parts[0][0] == _VERSION:
        parts = parts[1:]
    _, _, (_, issuer), (_, validity), (_, subject), *more = parts  # after the serial number and the algorithm
    since, until = (_moment(kind, text.decode("ascii")) for kind, text in _items(validity))
    return Facts(tuple(_names(more)), _name(issuer), _name(subject), since, until)


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and content of each element, one after the other."""
    position = 0
    while position < len(data):
        tag, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:  # the length of the length
            size = length & 0x7F
            length, position = int.from_bytes(data[position : position + size], "big"), position + size
        if position + length > len(data):
            raise ValueError("it ends too early")
        yield tag, data[position : position + length]
        position += length


def _moment(kind: int, text: str) -> float:
    if kind not in (_UTC_TIME, _TIME):
        raise ValueError("no time")
    if kind == _UTC_TIME:  # two digits: 1950 to 2049
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.UTC).timestamp()


def _name(data: bytes) -> str:
    """Return the common name, else the organization, else nothing."""
    values = {}
    for _, alike in _items(data):
        for _, pair in _items(alike):
            (_, kind), (tag, value) = _items(pair)
            values.setdefault(kind, value.decode("utf-16-be" if tag == _BMP_STRING else "utf-8", "replace"))
    return values.get(_COMMON_NAME) or values.get(_ORGANIZATION) or ""


def _names(parts: list[tuple[int, bytes]]) -> Iterator[str]:
    """Yield the DNS names among the extensions."""
    for tag, content in parts:
        if tag != _EXTENSIONS:
            continue
        for _, extension in _items(next(_items(content))[1]):
            kind, *_, (_, value) = _items(extension)
            if kind == (_OBJECT, _ALTERNATIVE_NAMES):
                names = _items(next(_items(value))[1])
                yield from (name.decode("ascii", "replace").lower() for tag, name in names if tag == _DNS_NAME)
