"""FastCGI, as php-fpm speaks it: nothing here but how to tell it from HTTP."""

from __future__ import annotations

from zdd.instances.health import request
from zdd.instances.health.request import Address

# FCGI_GET_VALUES, which any application answers, asking for FCGI_MAX_CONNS; the keeper sends the same.
GET_VALUES = b"\x01\x09\0\0\0\x10\0\0\x0e\0FCGI_MAX_CONNS"
_RESULT = b"\x01\x0a"
_PATIENCE = 1.0  # seconds; asked only once the deploy has failed, for a better hint

HINT = (
    "it speaks FastCGI, not HTTP: give it a health_command, and set include in [nginx], so that an nginx of yours "
    "reaches it by fastcgi_pass (guides/system-nginx.md, PHP-FPM)"
)


def is_spoken(address: Address) -> bool:
    """Return whether what listens there answers in FastCGI."""
    try:
        with request.connect(address, _PATIENCE) as connection:
            connection.sendall(GET_VALUES)
            return connection.recv(8).startswith(_RESULT)
    except OSError:
        return False
