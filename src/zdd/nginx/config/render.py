"""
The texts that zdd writes: a whole nginx.conf for its own nginx, upstreams for an nginx that includes them.

The same setup gives the same bytes: whether nginx is reloaded depends on it. Directives newer than nginx 1.18 are
written only for versions that have them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from zdd.conf import hosts
from zdd.nginx.config import maintenance, media_types, upstream
from zdd.nginx.config import version as versions
from zdd.nginx.config.mark import HEADER, REQUEST_HEADER, Mark
from zdd.nginx.config.upstream import quoted
from zdd.nginx.config.version import Version

_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Route(NamedTuple):
    """
    Requests for these hosts go to the service if their path is `path` or below it.

    "/api" covers /api and all of /api/, but not /apiary. Without hosts, the route is for the setup's server_name, or
    for every host if there is none.
    """

    service: str
    hosts: Sequence[str] = ()
    path: str = "/"


class Setup(NamedTuple):
    """
    The values in zdd's own text; sizes in bytes, times in seconds, absolute paths.

    nginx creates `temp_folder` (mode 0700, its worker user's); the parent must exist. `user` and `group` are for a
    master that runs as root. `reloads`: deploys reload this nginx, because a service listens on TCP.
    """

    pid_file: str
    error_log: str
    temp_folder: str
    listen: Sequence[str]
    routes: Sequence[Route]
    upstreams: Mapping[str, Sequence[str]]  # the targets of each service, see upstream.servers
    server_name: Sequence[str] = ()
    client_max_body_size: int = 100 * 1024**2
    proxy_read_timeout: float = 60.0
    user: str | None = None
    group: str | None = None
    access_log: str | None = None
    maintenance_file: str | None = None  # while it exists, every answer is 503; the workers must be able to see it
    assets: Sequence[str] = ()  # folders whose files nginx serves itself, under the last part of the folder's name
    reloads: bool = False
    mark: Mark | None = None


def render(setup: Setup, version: Version) -> str:
    """Return the whole text."""
    parts = [_http(setup, version), _PROXY, *_upstreams(setup.upstreams, version), *_servers(setup)]
    text = MAIN.format(
        user=f"user {' '.join(filter(None, [setup.user, setup.group]))};\n" if setup.user else "",
        pid=quoted(setup.pid_file),
        error_log=quoted(setup.error_log),
        http=textwrap.indent("\n".join(parts), "    "),
    )
    return setup.mark.seal(text) if setup.mark else text


def include(first_line: str, upstreams: Mapping[str, Sequence[str]], version: Version, mark: Mark) -> str:
    """Return an upstream for each service, to be named in the user's own server blocks, and the mark."""
    second = "# Written by zddeploy; what is changed here is lost."
    return mark.seal("\n".join([first_line, second, *_upstreams(upstreams, version), mark.lines(), ""]))


def _upstreams(upstreams: Mapping[str, Sequence[str]], version: Version) -> list[str]:
    return [upstream.block(name, targets, version) for name, targets in sorted(upstreams.items())]


def _http(setup: Setup, version: Version) -> str:
    seconds, rest = divmod(max(1, round(setup.proxy_read_timeout * 1000)), 1000)
    read_timeout = f"{seconds}s{rest}ms" if rest else f"{seconds}s"
    lines = [
        "server_tokens off;",
        "keepalive_requests 100000;  # by default each client connection is closed after its thousandth request",
        "server_names_hash_bucket_size 512;  # room for the longest name there is",
        f"access_log {quoted(setup.access_log) if setup.access_log else 'off'};",
        *(f"{what}_temp_path {quoted(setup.temp_folder)};" for what in _TEMPORARY),
        "absolute_redirect off;  # visitors may know this nginx by another port or protocol",
        f"client_max_body_size {setup.client_max_body_size};",
        f"proxy_read_timeout {read_timeout};",
        f"proxy_send_timeout {read_timeout};",
    ]
    if setup.reloads and version >= versions.KEEPALIVE_MIN_TIMEOUT:
        lines.append("keepalive_min_timeout 5s;  # clients' connections outlive a reload for as long")
    if setup.mark:
        lines.append(setup.mark.lines())
    if setup.assets:  # without types most files are text/plain, which browsers refuse as style sheets and scripts
        lines.append(media_types.LINES)
    return "\n".join(lines) + "\n"


def _servers(setup: Setup) -> list[str]:
    """Return the server blocks: one for unnamed hosts, and one for each set of hosts with the same routes."""
    named: dict[str, list[Route]] = {}
    anywhere = [route for route in setup.routes if not (route.hosts or setup.server_name)]
    for route in setup.routes:
        for host in route.hosts or setup.server_name:
            for name in hosts.meant(host):  # nginx ignores a name that ".shop.test" in another server includes
                named.setdefault(name, []).append(route)
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for name, own in sorted(named.items()):
        # Of routes with the same path, one that names the host comes first, then one that has the host from
        # server_name, then one for every host.
        routes = [*sorted(own, key=lambda route: not route.hosts), *anywhere]
        alike.setdefault(tuple(_locations(routes).items()), []).append(name)
    blocks = [_server(setup, names, dict(locations), "") for locations, names in alike.items()]
    return [_server(setup, ["_"], _locations(anywhere), " default_server"), *blocks]


def _locations(routes: Sequence[Route]) -> dict[str, str]:
    """Return prefixes, and exact paths after "= ", with their service. Of routes with the same path, the first wins."""
    services: dict[str, str] = {}
    for route in routes:
        services.setdefault(route.path if route.path.endswith("/") else f"= {route.path}", route.service)
    for route in routes:
        if not route.path.endswith("/"):  # after all others, because "/api/" may itself be a route
            services.setdefault(route.path + "/", route.service)
    return dict(sorted(services.items()))


def _server(setup: Setup, names: Sequence[str], locations: Mapping[str, str], default: str) -> str:
    lines = [f"listen {address}{default};" for address in setup.listen]
    lines.append(f"server_name {' '.join(map(quoted, names))};")
    header = setup.mark.header() if setup.mark else ""
    if header:
        lines.append(header)
    if setup.maintenance_file and locations:
        lines.append(maintenance.lines(setup.maintenance_file, header))
    blocks = {where: f"proxy_pass http://{service};" for where, service in locations.items()}
    blocks = blocks | {"/": blocks.get("/", "return 404;")} | _assets(setup, locations)
    lines += [f"location {_written(where)} {{ {block} }}" for where, block in _with_slashless(blocks).items()]
    return "server {\n" + textwrap.indent("\n".join(lines), "    ") + "\n}\n"


def _assets(setup: Setup, locations: Mapping[str, str]) -> dict[str, str]:
    """Return the locations of files that nginx serves itself. A missing file is requested from the service at "/"."""
    service = locations.get("/")
    locations_of_assets = {}
    for folder in setup.assets:
        above, _, name = folder.rstrip("/").rpartition("/")
        where = f"/{name}/"
        if where not in locations:
            fallback = "@assets" if service else "=404"
            locations_of_assets[where] = f"root {quoted(above)}; try_files $uri {fallback};"
    if locations_of_assets and service:
        locations_of_assets["@assets"] = f"proxy_pass http://{service};"
    return locations_of_assets


def _with_slashless(blocks: Mapping[str, str]) -> dict[str, str]:
    """
    Return the locations, and one more for each proxied prefix without its slash at the end.

    Without that, nginx answers a request for such a path by a redirect to the path with the slash, at a port that
    visitors may not know, whatever the method. The path belongs to the longest of the other prefixes.
    """
    prefixes = [where for where in blocks if where.startswith("/")]
    complete = dict(blocks)
    for where in prefixes:
        path = where.rstrip("/")
        if path and "proxy_pass" in blocks[where]:
            others = [prefix for prefix in prefixes if path.startswith(prefix)]
            complete.setdefault(f"= {path}", blocks[max(others, key=len)])
    return complete


def _written(where: str) -> str:
    """Return a location as it is written in nginx's text."""
    return f"= {quoted(where[2:])}" if where.startswith("= ") else quoted(where)


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

_PROXY = f"""\
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
