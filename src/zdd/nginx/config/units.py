"""nginx's times, by the rules of ngx_parse_time() in nginx's ngx_parse.c."""

from __future__ import annotations

# From the longest to the shortest: a time names them in this order, each at most once.
_SECONDS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_ORDER = list(_SECONDS)
_LONGEST = 12  # digits


def seconds(time: str) -> float | None:
    """
    Return the seconds of a time such as 1h30m, "1h 30m", 60ms or 5; None for what nginx refuses.

    >>> seconds("1h30m"), seconds("60ms"), seconds("5"), seconds("1.5s")
    (5400.0, 0.06, 5.0, None)
    """
    total, allowed, rest = 0.0, _ORDER, time
    while rest:
        number = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        rest = rest[len(number) :]
        unit = next((unit for unit in ("ms", *_ORDER) if rest.startswith(unit)), "")
        rest = rest[len(unit) :]
        if not number or len(number) > _LONGEST or (unit and unit not in allowed):
            return None
        if not unit and rest.strip(" ") and not rest.strip(" ").isdecimal():  # nginx takes "5 5", too
            return None
        total += int(number) * _SECONDS[unit or "s"]
        allowed = _ORDER[_ORDER.index(unit) + 1 :] if unit else []
        rest = rest.lstrip(" ")
    return total if time else None
