"""The server blocks of zdd's own text: one for each set of hosts with the same routes, and one for all others."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from zdd.conf import hosts
from zdd.nginx.config import maintenance, passing
from zdd.nginx.config.setup import Route, Setup
from zdd.nginx.config.upstream import quoted


def blocks(setup: Setup) -> list[str]:
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
    others = [_server(setup, names, dict(locations), "") for locations, names in alike.items()]
    return [_server(setup, ["_"], _locations(anywhere), " default_server"), *others]


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
    blocks = {where: passing.to(service, setup.grpc) for where, service in locations.items()}
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
        locations_of_assets["@assets"] = passing.to(service, setup.grpc)
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
        if path and "_pass " in blocks[where]:
            others = [prefix for prefix in prefixes if path.startswith(prefix)]
            complete.setdefault(f"= {path}", blocks[max(others, key=len)])
    return complete


def _written(where: str) -> str:
    """Return a location as it is written in nginx's text."""
    return f"= {quoted(where[2:])}" if where.startswith("= ") else quoted(where)
