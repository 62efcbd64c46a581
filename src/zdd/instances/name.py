"""An instance's name, `web-12`: its service, and a number that the service never uses again."""

from __future__ import annotations

import re

_NAME = re.compile(r"(.+)-([0-9]+)")


def name_of(service: str, number: int) -> str:
    """Return the name of a service's instance."""
    return f"{service}-{number}"


def parts_of(name: str) -> tuple[str, int] | None:
    """Return the service and the number of an instance, None where the text is no instance's name."""
    match = _NAME.fullmatch(name)
    return (match[1], int(match[2])) if match else None


def service_of(name: str) -> str:
    """Return the service of an instance."""
    return name.rpartition("-")[0]


def number_of(name: str) -> int:
    """Return the number of an instance."""
    return int(name.rpartition("-")[2])
