"""How zdd's own text passes a request on to a service: headers, buffers, tries."""

from __future__ import annotations

from collections.abc import Collection

from zdd.nginx.config import grpc
from zdd.nginx.config.mark import HEADER, REQUEST_HEADER

LINES = f"""\
# Only WebSockets are upgraded (an h2c upgrade would tunnel past these rules); all others keep the upstream's
# connection, for which Connection must be empty.
map $http_upgrade $zdd_upgrade {{ default ""; websocket websocket; }}
map $zdd_upgrade $zdd_connection {{ default upgrade; "" ""; }}
map $http_host $zdd_host {{ default $http_host; "" $host; }}
map $http_x_request_id $zdd_request_id {{ default $http_x_request_id; "" $request_id; }}
# This nginx speaks no TLS: when somebody before it does, only they can tell.
map $http_x_forwarded_proto $zdd_proto {{ default $scheme; http http; https https; }}

proxy_http_version 1.1;
proxy_set_header Upgrade $zdd_upgrade;
proxy_set_header Connection $zdd_connection;
proxy_set_header Host $zdd_host;
proxy_set_header X-Real-IP $remote_addr;
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $zdd_proto;
proxy_set_header X-Forwarded-Host $zdd_host;
proxy_set_header X-Request-ID $zdd_request_id;
proxy_set_header {REQUEST_HEADER} "";  # apps learn neither word of the mark
proxy_hide_header {HEADER};
proxy_redirect off;
proxy_buffer_size 16k;
proxy_buffers 8 16k;
# One more slot is tried after a connect that was refused or, except for POST, LOCK and PATCH, a connection that broke;
# not all of them, or a request that kills the app would kill every instance.
proxy_next_upstream error;
proxy_next_upstream_tries 2;
"""


def to(service: str, grpc_services: Collection[str]) -> str:
    """Return the lines of a location that pass its requests on to a service."""
    return grpc.to(service) if service in grpc_services else f"proxy_pass http://{service};"
