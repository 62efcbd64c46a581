"""
The texts that zdd writes: a whole nginx.conf for its own nginx, upstreams for an nginx that includes them.

The same setup gives the same bytes: whether nginx is reloaded depends on it. Directives newer than nginx 1.18 are
written only for versions that have them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from zdd.nginx.config import (
    compression,
    doors,
    grpc,
    media_types,
    passing,
    server_lines,
    servers,
    static,
    sticky,
    tls,
    trust,
    upstream,
)
from zdd.nginx.config import version as versions
from zdd.nginx.config.access import AccessFormat
from zdd.nginx.config.mark import Mark
from zdd.nginx.config.setup import Setup
from zdd.nginx.config.upstream import quoted
from zdd.nginx.config.version import Version

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def render(setup: Setup, version: Version) -> str:
    """Return the whole text."""
    clients = trust.lines(setup.trust, quoted(setup.error_log)) + doors.http_lines(setup)
    http = "\n".join([_http(setup, version), passing.LINES, clients])
    keys = sticky.Keys(setup.mark, setup.sticky, setup.trust.client)
    grpc_lines = [grpc.lines(http, setup.proxy_read_timeout, version)] if setup.grpc else []
    upstreams = _upstreams(setup.upstreams, version, keys)
    parts = [http, *grpc_lines, *keys.maps(), *upstreams, *servers.blocks(setup, version)]
    text = MAIN.format(
        user=f"user {' '.join(filter(None, [setup.user, setup.group]))};\n" if setup.user else "",
        pid=quoted(setup.pid_file),
        error_log=quoted(setup.error_log),
        http=textwrap.indent("\n".join(parts), "    "),
    )
    text = server_lines.put(text, setup.server_lines, http)
    return setup.mark.seal(text) if setup.mark else text


def include(
    first_line: str,
    upstreams: Mapping[str, Sequence[str]],
    version: Version,
    mark: Mark,
    log: AccessFormat | None = None,
    bound: Mapping[str, str] = {},
) -> str:
    """
    Return an upstream for each service, to be named in the user's own server blocks, the mark and the log format.

    `bound` has what the clients of a service are known by, as `Setup.sticky`.
    """
    second = "# Written by zddeploy; what is changed here is lost."
    keys = sticky.Keys(mark, bound)
    parts = [*_upstreams(upstreams, version, keys), *keys.maps(), mark.lines(), *([log.lines()] if log else [])]
    return mark.seal("\n".join([first_line, second, *parts, ""]))


def _upstreams(upstreams: Mapping[str, Sequence[str]], version: Version, keys: sticky.Keys) -> list[str]:
    return [upstream.block(name, targets, version, keys.of(name)) for name, targets in sorted(upstreams.items())]


def _http(setup: Setup, version: Version) -> str:
    seconds, rest = divmod(max(1, round(setup.proxy_read_timeout * 1000)), 1000)
    read_timeout = f"{seconds}s{rest}ms" if rest else f"{seconds}s"
    lines = [
        "server_tokens off;",
        "keepalive_requests 100000;  # by default each client connection is closed after its thousandth request",
        "server_names_hash_bucket_size 512;  # room for the longest name there is",
        "variables_hash_max_size 4096;  # without a warning, however many modules nginx has",
        "variables_hash_bucket_size 128;",
        *_logs(setup),
        *(f"{what}_temp_path {quoted(setup.temp_folder)};" for what in _TEMPORARY),
        "absolute_redirect off;  # visitors may know this nginx by another port or protocol",
        f"client_max_body_size {setup.client_max_body_size};",
        f"proxy_read_timeout {read_timeout};",
        f"proxy_send_timeout {read_timeout};",
    ]
    if (setup.reloads or setup.tls) and version >= versions.KEEPALIVE_MIN_TIMEOUT:
        lines.append("keepalive_min_timeout 5s;  # clients' connections outlive a reload for as long")
    if setup.mark:
        lines.append(setup.mark.lines())
    if setup.tls:
        lines.append(tls.http_lines(setup.tls, version))
    if setup.assets or setup.static:  # without types most files are text/plain, which browsers refuse as style sheets
        lines += [media_types.LINES, static.HTTP_LINES, *([compression.LINES] if setup.gzip else [])]
    return "\n".join(lines) + "\n"


def _logs(setup: Setup) -> list[str]:
    """Return the lines for the log, and the header that makes its times exact; without a log there is neither."""
    if setup.access_log is None:
        return [] if setup.trust.asks else ["access_log off;"]  # "off" beside another log would switch that off, too
    log = AccessFormat(request_id=passing.REQUEST_ID, mark=setup.mark)
    formats = [log.lines(), *([log.static_lines()] if setup.static or setup.assets else [])]
    return [*formats, log.log(setup.access_log), log.header()]


MAIN = """\
# Written by zdd; what is changed here is lost with the next deploy.
{user}worker_processes auto;
worker_rlimit_nofile 8192;
pid {pid};
error_log {error_log};

events {{
    worker_connections 4096;
}}

http {{
{http}}}
"""
