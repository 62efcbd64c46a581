"""What zdd's own text is made of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from zdd.nginx.config.mark import Mark


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
    grpc: Collection[str] = ()  # the services that speak gRPC
    sticky: Mapping[str, str] = {}  # for services whose clients meet the same instance again: "ip" or "cookie:NAME"
