"""
How zdd's own text passes a request on to a service: headers, buffers, tries.

Large headers. By default nginx refuses a request with more than 8 kB in one line of its head (400), as cookies have,
and an answer with more than 4 or 8 kB of headers (502), as those that set cookies or a long policy have. Larger buffers
cost only what is used of them. Measured with nginx 1.22.1: 1,000 event streams held open, memory and CPU for each.

    client_header_buffer_size, large_client_header_buffers, proxy_buffer_size    head of 0.3 kB     head of 6 kB
    1k, 4 8k, 16k                                                                20.2 kB, 41 us     34.4 kB, 50 us
    4k, 4 32k, 16k                                                               23.3 kB, 42 us     39.3 kB, 56 us
    4k, 4 32k, 64k                                                               23.2 kB, 42 us     39.3 kB, 56 us
"""

from __future__ import annotations

from collections.abc import Collection

from zdd.nginx.config import grpc
from zdd.nginx.config.mark import HEADER, REQUEST_HEADER

REQUEST_ID = "$zdd_request_id"  # the client's, or else nginx's own

_HOST = r"(?:[A-Za-z0-9._~%!$&'()*+,;=-]++|\[[0-9A-Za-z:.%]++\])"
_PORT = "(?:[0-9]{0,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"

NO_HOST = 'if ($zdd_host = "") { return 400; }'
"""
The line of a server block that refuses a Host which is none, such as shop.example:1@evil.example.

Of a Host nginx compares what stands before the colon, and passes the whole on. An app that makes links of it would lead
its visitors elsewhere, for example in a mail with a new password. nginx 1.31 refuses these itself, 1.22 does not.
"""

LINES = f"""\
# Only WebSockets are upgraded (an h2c upgrade would tunnel past these rules); all others keep the upstream's
# connection, for which Connection must be empty.
map $http_upgrade $zdd_upgrade {{ default ""; websocket websocket; }}
map $zdd_upgrade $zdd_connection {{ default upgrade; "" ""; }}
# In an absolute request (GET http://HOST/PATH) the host in the line is meant, which has chosen the server block.
map $request $zdd_host {{
    default $zdd_host_header;
    "~^[A-Z_-]++ [A-Za-z]++://(?<zdd_host_in_line>[^/?# ]++)" $zdd_host_in_line;
}}
map $http_host $zdd_host_header {{ default ""; "" $host; "~^{_HOST}(?::{_PORT})?$" $http_host; }}
map $http_x_request_id {REQUEST_ID} {{ default $http_x_request_id; "" $request_id; }}

client_header_buffer_size 4k;
large_client_header_buffers 4 32k;  # room for a line of a request's head, such as its cookies
underscores_in_headers on;  # names with "_" are passed on, but for those below that CGI takes for others

proxy_http_version 1.1;
proxy_set_header Upgrade $zdd_upgrade;
proxy_set_header Connection $zdd_connection;
proxy_set_header Host $zdd_host;
proxy_set_header X-Request-ID {REQUEST_ID};
proxy_set_header {REQUEST_HEADER} "";  # apps learn neither word of the mark
proxy_hide_header {HEADER};
proxy_redirect off;
proxy_buffer_size 64k;  # room for the headers of an answer
proxy_buffers 8 16k;
proxy_busy_buffers_size 64k;
proxy_headers_hash_max_size 4096;
proxy_headers_hash_bucket_size 128;
# One more slot is tried after a connect that was refused or, except for POST, LOCK and PATCH, a connection that broke;
# not all of them, or a request that kills the app would kill every instance.
proxy_next_upstream error;
proxy_next_upstream_tries 2;
"""


def to(service: str, grpc_services: Collection[str]) -> str:
    """Return the lines of a location that pass its requests on to a service."""
    return grpc.to(service) if service in grpc_services else f"proxy_pass http://{service};"
