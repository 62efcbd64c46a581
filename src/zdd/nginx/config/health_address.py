"""
The path at which nginx itself answers 200, for balancers that ask by an address and not by a name.

It stands in the server block for names that no service has: a service with `host` keeps that path for itself, and so
does one for every host whose `path` it is. During maintenance it is answered as ever. Otherwise a balancer would take
the machine out, and show its own error page instead of the maintenance page.
"""

from __future__ import annotations

from collections.abc import Collection

PATH = "/zdd-health"

_WHERE = f"= {PATH}"

LOCATION = {_WHERE: 'access_log off; default_type text/plain; return 200 "ok\\n";'}
"""The location, and what is in it."""


def is_free(locations: Collection[str]) -> bool:
    """Return whether no service has the path among these locations."""
    return _WHERE not in locations
