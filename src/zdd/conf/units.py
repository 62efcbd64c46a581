"""Durations, sizes and HTTP statuses as people write them."""

import re

from msgspec import Struct

MAX_SECONDS = 10 * 365 * 86400  # what every timer of the system accepts
DAY = 86400  # seconds

# Nothing, or at least a day, in days, hours, minutes or seconds.
HSTS = (
    "0s?|[1-9][0-9]{0,2}d|[1-3][0-9]{3}d|(2[4-9]|[3-9][0-9]|[1-9][0-9]{2,3})h|(14[4-9][0-9]|1[5-9][0-9]{2}|[2-9][0-9]{3}"
    "|[1-9][0-9]{4,5})m|(86[4-9][0-9]{2}|8[7-9][0-9]{3}|9[0-9]{4}|[1-9][0-9]{5,7}|[12][0-9]{8})s"
)

_FIRST_FINAL = 200  # of the HTTP statuses (RFC 9110)
_SECONDS = {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600}
_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def seconds(text: str) -> float:
    """Return the seconds in `500ms`, `30s`, `5m`, `1h` or a bare number. Raises ValueError for anything else."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?", text)
    if not match:
        raise ValueError(text)
    amount = round(float(match[1]) * _SECONDS[match[2] or ""], 6)
    if amount > MAX_SECONDS:
        raise ValueError(text)
    return amount


def hsts(text: str) -> int:
    """
    Return the seconds in `365d`, `24h` or `0s`: 0, or at least a day; a number without a unit is 0 alone.

    Raises ValueError for anything else.

    >>> hsts("365d"), hsts("0")
    (31536000, 0)
    """
    if not re.fullmatch(HSTS, text):
        raise ValueError(text)
    return int(text.rstrip("smhd")) * {"s": 1, "m": 60, "h": 3600, "d": DAY}.get(text[-1], 0)


def days(amount: float) -> str:
    """Return seconds as `hsts` reads them: in days if they are whole days."""
    return f"{amount / DAY:.0f}d" if amount and amount % DAY == 0 else f"{amount:.0f}s"


def size(text: str) -> int:
    """Return the bytes in `512K`, `64M`, `1G` or a bare number. Raises ValueError for anything else."""
    match = re.fullmatch(r"([0-9]{1,15})([kmg]?)", text.lower())
    if not match:
        raise ValueError(text)
    return int(match[1]) * _BYTES[match[2]]


def duration(amount: float) -> str:
    """Return seconds as `seconds` reads them, in the largest unit without a fraction."""
    unit = next((unit for unit in ("h", "m", "s") if amount and amount % _SECONDS[unit] == 0), None)
    return f"{amount / _SECONDS[unit]:.10g}{unit}" if unit else f"{amount * 1000:.10g}ms" if amount else "0s"


def size_text(amount: int) -> str:
    """Return bytes as `size` reads them, in the largest unit without a fraction."""
    unit = next((unit for unit in ("g", "m", "k") if amount and amount % _BYTES[unit] == 0), "")
    return f"{amount // _BYTES[unit]}{unit.upper()}"


class Statuses(Struct, frozen=True):
    """A set of HTTP statuses, as inclusive ranges."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, text: str) -> "Statuses":
        """
        Return the statuses in `200`, `200-299` or `200,301-302`. Raises ValueError for anything else.

        A set of only 1xx is invalid, too: these come before the answer.
        """
        ranges = []
        for part in text.split(","):
            match = re.fullmatch(r"\s*([1-5][0-9]{2})(?:\s*-\s*([1-5][0-9]{2}))?\s*", part)
            if not match or int(match[1]) > int(match[2] or match[1]):
                raise ValueError(text)
            ranges.append((int(match[1]), int(match[2] or match[1])))
        if all(high < _FIRST_FINAL for _, high in ranges):
            raise ValueError(text)
        return cls(tuple(ranges))

    def allows(self, status: int) -> bool:
        """Return whether the set contains the status."""
        return any(low <= status <= high for low, high in self.ranges)

    def __str__(self) -> str:
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.ranges)
