"""Where an app listens: the path of a UNIX socket, or a port of 127.0.0.1."""

from __future__ import annotations

import socket


def endpoint(address: str | int) -> tuple[int, str | tuple[str, int]]:
    """Return the family and the address as socket(2) and connect(2) take them."""
    return (socket.AF_UNIX, address) if isinstance(address, str) else (socket.AF_INET, ("127.0.0.1", address))
