"""Where nginx answers the challenges of a certificate authority, whatever else holds for its visitors."""

from __future__ import annotations

from zdd.conf.check_tls import CHALLENGES
from zdd.nginx.config.parse import parse
from zdd.nginx.config.upstream import quoted

# The user's lines that can refuse visitors, and the line that lets an authority in: it has no password, and its
# addresses are unknown.
_SPARED = {
    "auth_basic": "auth_basic off;",
    "auth_request": "auth_request off;",
    "allow": "allow all;",
    "deny": "allow all;",
}


def location(folder: str, user_lines: str = "") -> str:
    """
    Return the location of the challenges, which are files in a folder below this one.

    No link in it is followed. `user_lines` are those that server_include adds to the server block.
    """
    asked = [directive.name for directive in parse(user_lines)] if user_lines else []
    spared = dict.fromkeys(_SPARED[name] for name in asked if name in _SPARED)
    unlinked = f"disable_symlinks on {quoted(f'from={folder}')};"
    lines = [f"root {quoted(folder)};", unlinked, "default_type text/plain;", *spared]
    return f"location ^~ {CHALLENGES} {{ {' '.join(lines)} }}"
