"""What zdd's own text is made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from zdd.nginx.config.mark import Mark
from zdd.nginx.config.static import StaticSite
from zdd.nginx.config.tls import Tls
from zdd.nginx.config.trust import Trust


class Route(Struct, frozen=True):
    """
    Requests for these hosts go to the service if their path is `path` or below it.

    "/api" covers /api and all of /api/, but not /apiary. Without hosts, the route is for the setup's server_name, or
    for every host if there is none.
    """

    service: str
    hosts: Sequence[str] = ()
    path: str = "/"


class Setup(Struct, frozen=True):
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
    assets: Mapping[str, str] = {}  # folders whose files nginx serves itself, by the URL path, which ends with a slash
    static: Mapping[str, StaticSite] = {}  # the services that are folders
    precompressed: Sequence[str] = ()  # the lines with which this nginx sends x.js.gz in the place of x.js
    gzip: bool = True  # the files that nginx serves itself
    reloads: bool = False
    trust: Trust = Trust()
    server_lines: str = ""  # of the user, for each server block
    mark: Mark | None = None
    tls: Tls | None = None
    acme_folder: str | None = None  # it has .well-known/acme-challenge/, which is served on `listen` whatever else is
    canonical_host: str | None = None  # names with the same routes are redirected to it
    grpc: Collection[str] = ()  # the services that speak gRPC
    sticky: Mapping[str, str] = {}  # for services whose clients meet the same instance again: "ip" or "cookie:NAME"
