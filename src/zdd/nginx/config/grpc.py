"""
How zdd's own text passes gRPC on: HTTP/2 in plain text, one call at a time on each connection to the app.

nginx does not multiplex calls to an app: each has a connection of its own meanwhile, from the same pool as HTTP's, with
the same bounds. So a deploy switches calls one by one, and draining counts them. A client's connection stays: it ends
at nginx, and its next call goes to the new version.
"""

from __future__ import annotations

from zdd.nginx.config import version as versions
from zdd.nginx.config.version import Version

WAYS = (
    "use nginx 1.25.1 or newer: `pip install 'zddeploy[nginx]'` brings one, for binary in [nginx]; or HTTPS, where any "
    "nginx speaks HTTP/2: https in [nginx]"
)
"""What to do about an nginx too old for HTTP/2 in plain text."""

_LONGEST_SILENCE = 3600.0  # seconds, of a stream: a call has its own deadline, which the client enforces
_ALIKE = ("proxy_set_header", "proxy_hide_header", "proxy_buffer_size", "proxy_next_upstream")
_NOT_IN_HTTP_2 = ("proxy_set_header Upgrade ", "proxy_set_header Connection ")


def lines(passing: str, read_timeout: float, version: Version) -> str:
    """Return the lines for the http level; headers and tries are those of `passing`, the lines for HTTP."""
    alike = [line for line in passing.splitlines() if line.startswith(_ALIKE) and not line.startswith(_NOT_IN_HTTP_2)]
    silence = f"{round(max(read_timeout, _LONGEST_SILENCE))}s"
    own = [f"grpc_{line.removeprefix('proxy_')}" for line in alike]
    own += [f"grpc_read_timeout {silence};", f"grpc_send_timeout {silence};"]
    if version >= versions.HTTP2_DIRECTIVE:
        own.append("http2 on;  # clients without TLS begin with HTTP/2; all others speak HTTP/1.1")
    return "\n".join([*own, ""])


def to(service: str) -> str:
    """
    Return the lines of a location that pass calls on to a service.

    A stream of messages has no size, and may be silent: nginx would end it after client_body_timeout, a minute. And a
    client that is slow to read (flow control) would be cut after send_timeout, a minute too.
    """
    silence = f"{round(_LONGEST_SILENCE)}s"
    timeouts = f"client_body_timeout {silence}; send_timeout {silence};"
    return f"grpc_pass grpc://{service}; client_max_body_size 0; {timeouts}"


def problem(version: Version) -> str | None:
    """Return why clients without TLS cannot call through nginx, None if they can."""
    if version >= versions.HTTP2_DIRECTIVE:
        return None
    return f"nginx {versions.dotted(version)} speaks HTTP/2 without TLS only on ports that refuse HTTP/1.1"
