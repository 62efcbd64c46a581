"""Addresses and networks of other machines, such as those of a load balancer."""

from __future__ import annotations

import re
from collections.abc import Iterable

from zdd.conf import readers
from zdd.conf.document import Document
from zdd.conf.hosts import Mistake
from zdd.conf.readers import Json, KindError, Reader
from zdd.host.light import socket

PRIVATE = "private"  # this machine, and the networks that the internet does not route
NOBODY = "none"

_MAPPED = 0xFFFF  # ::ffff:0:0/96 has the addresses of IPv4
_PATTERN = r"[0-9a-fA-F:.]+(?:/[0-9]{1,3})?"


def network(text: str) -> str:
    """
    Return the network as nginx takes it without a warning. Raises Mistake.

    >>> network("10.0.0.0/8"), network("2001:DB8::1")
    ('10.0.0.0/8', '2001:db8::1')
    """
    address, slash, length = text.partition("/")
    for family, bits in (socket.AF_INET, 32), (socket.AF_INET6, 128):
        try:
            number = int.from_bytes(socket.inet_pton(family, address), "big")
        except (OSError, ValueError):
            continue
        kept = int(length) if slash else bits
        if kept > bits:
            raise Mistake(f"such an address has {bits} bits", f"{address}/{bits}")
        if number >> 32 == _MAPPED and kept >= bits - 32:  # nginx compares it with no peer
            mapped = socket.inet_ntop(socket.AF_INET, (number & 0xFFFFFFFF).to_bytes(4, "big"))
            raise Mistake("that is IPv4", f"{mapped}/{kept - 96}" if slash else mapped)
        rest = number & ((1 << (bits - kept)) - 1)
        plain = socket.inet_ntop(family, (number - rest).to_bytes(bits // 8, "big")) + (f"/{kept}" if slash else "")
        if rest:
            raise Mistake(f"only its first {kept} bits count", plain)
        return plain
    raise Mistake("that is no address")


def part_of_all(names: Iterable[str]) -> dict[str, float]:
    """
    Return which part of all addresses of IPv4, and of all of IPv6, lies in these networks.

    >>> part_of_all(["0.0.0.0/1", "64.0.0.0/2", "128.0.0.0/1", "2000::/3"])
    {'IPv4': 1.0, 'IPv6': 0.125}
    """
    found = {}
    for family, bits, word in (socket.AF_INET, 32, "IPv4"), (socket.AF_INET6, 128, "IPv6"):
        covered = end = 0
        for first, size in sorted(_range(name, family, bits) for name in names if (":" in name) == (bits == 128)):
            covered += max(0, first + size - max(first, end))
            end = max(end, first + size)
        found[word] = covered / (1 << bits)
    return found


def _range(name: str, family: int, bits: int) -> tuple[int, int]:
    """Return the first address of a network, and how many it has."""
    address, _, length = name.partition("/")
    return int.from_bytes(socket.inet_pton(family, address), "big"), 1 << (bits - int(length or bits))


def _proxy(value: object, _: Document) -> str:
    if value == PRIVATE:
        return PRIVATE
    if not isinstance(value, str) or not re.fullmatch(_PATTERN, value):
        raise KindError(value)
    try:
        return network(value)
    except Mistake as mistake:
        raise KindError(value, mistake.why, mistake.instead) from None


def _proxies(value: object, document: Document) -> list[str]:
    if value == NOBODY:
        return []
    found = _SEVERAL.read(value, document)
    return list(dict.fromkeys(map(str, found if isinstance(found, list) else [found])))


_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_ADDRESS = rf"(?:{_BYTE}(?:\.{_BYTE}){{3}}|[0-9a-fA-F]*:[0-9a-fA-F:.]*)"  # of IPv6 a pattern says little
_ONE: Json = {"type": "string", "pattern": f"^(?:{PRIVATE}|{_ADDRESS}(?:/[0-9]{{1,3}})?)$"}
_SEVERAL = readers.many(Reader(_proxy, _ONE), at_least=1)
PROXIES = Reader(_proxies, {"anyOf": [{"const": NOBODY}, _SEVERAL.json]})
