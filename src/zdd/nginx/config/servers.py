"""The server blocks of zdd's own text: one for each set of hosts with the same routes, and one for all others."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from zdd.conf import hosts
from zdd.nginx.config import challenges, compression, doors, health_address, maintenance, passing, server_lines, static
from zdd.nginx.config.access import AccessFormat
from zdd.nginx.config.doors import Door
from zdd.nginx.config.setup import Route, Setup
from zdd.nginx.config.upstream import quoted
from zdd.nginx.config.version import Version


def blocks(setup: Setup, version: Version) -> list[str]:
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
    groups = [(["_"], _locations(anywhere)), *((names, dict(locations)) for locations, names in alike.items())]
    return [
        _server(setup, door, locations)
        for names, locations in groups
        for door in doors.of(setup, version, names, bool(locations))
    ]


def _locations(routes: Sequence[Route]) -> dict[str, str]:
    """Return prefixes, and exact paths after "= ", with their service. Of routes with the same path, the first wins."""
    services: dict[str, str] = {}
    for route in routes:
        services.setdefault(route.path if route.path.endswith("/") else f"= {route.path}", route.service)
    for route in routes:
        if not route.path.endswith("/"):  # after all others, because "/api/" may itself be a route
            services.setdefault(route.path + "/", route.service)
    return dict(sorted(services.items()))


def _server(setup: Setup, door: Door, locations: Mapping[str, str]) -> str:
    lines = [*door.lines, f"server_name {' '.join(map(quoted, door.names))};", *filter(None, [door.header])]
    if not door.is_closed:
        lines.append(passing.NO_HOST)
    if door.has_challenges and setup.acme_folder:
        lines.append(challenges.location(setup.acme_folder, setup.server_lines))
    if door.target and not door.may_be_secure:
        health = health_address.LOCATION if door.is_default else {}
        redirected = health | {"/": f"return 301 {door.target}$request_uri;"}
        lines += [_location(where, block) for where, block in redirected.items()]
    elif not door.is_closed:
        if door.target:
            lines.append(f"if ({doors.IS_PLAIN}) {{ return 301 {door.target}$request_uri; }}")
        lines += _served(setup, door, locations)
    return "server {\n" + textwrap.indent("\n".join(lines), "    ") + "\n}\n"


def _served(setup: Setup, door: Door, locations: Mapping[str, str]) -> list[str]:
    """Return the lines of a server block that leads to services."""
    lines = []
    if setup.maintenance_file and locations:
        spared = health_address.PATH if door.is_default and health_address.is_free(locations) else None
        lines.append(maintenance.lines(setup.maintenance_file, door.header, door.has_challenges, spared))
    blocks = {where: passing.to(service, setup.grpc) for where, service in locations.items()}
    blocks = blocks | {"/": blocks.get("/", "return 404;")} | _files(setup, locations, door.header)
    if door.is_default:
        blocks = health_address.LOCATION | blocks
    lines += [_location(where, block) for where, block in _with_slashless(blocks, _alone(setup, locations)).items()]
    return [*lines, server_lines.PLACE] if setup.server_lines else lines


def _files(setup: Setup, locations: Mapping[str, str], header: str) -> dict[str, str]:
    """Return the locations of files that nginx serves itself: static services, and the assets of releases."""
    log = AccessFormat(mark=setup.mark).static_log(setup.access_log) if setup.access_log else ""
    own = "\n".join(filter(None, [header, *server_lines.headers(setup.server_lines), log]))
    files = static.Files(own, [*setup.precompressed, *([compression.ON] if setup.gzip else [])])
    blocks: dict[str, str] = {}
    for where, service in locations.items():
        if site := setup.static.get(service):
            blocks |= static.locations(where, service, site, files)
    for where, folder in setup.assets.items():
        if where not in locations:
            above = [prefix for prefix in locations if where.startswith(prefix)]
            app = locations[max(above, key=len)] if above else None
            missing = f"@assets_{app}" if app and app not in setup.static else "=404"
            blocks[where] = static.assets(folder, missing, files)
            if app and missing != "=404":
                blocks[missing] = passing.to(app, setup.grpc)
    return blocks


def _alone(setup: Setup, locations: Mapping[str, str]) -> dict[str, str]:
    """Return, for each prefix of a static service, what answers one path below it without looking for a file."""
    sites = {where: setup.static[name] for where, name in locations.items() if name in setup.static}
    return {where: static.alone(where, site) for where, site in sites.items() if where.startswith("/")}


def _with_slashless(blocks: Mapping[str, str], alone: Mapping[str, str]) -> dict[str, str]:
    """
    Return the locations, and one more for each proxied prefix without its slash at the end.

    Without that, nginx answers a request for such a path by a redirect to the path with the slash, at a port that
    visitors may not know, whatever the method. The path belongs to the longest of the other prefixes; `alone` has what
    answers one path of those that serve files.
    """
    prefixes = [where for where in blocks if where.startswith("/")]
    complete = dict(blocks)
    for where in prefixes:
        path = where.rstrip("/")
        if path and "_pass " in blocks[where]:
            others = [prefix for prefix in prefixes if path.startswith(prefix)]
            nearest = max(others, key=len)
            complete.setdefault(f"= {path}", alone.get(nearest, blocks[nearest]))
    return complete


def _location(where: str, block: str) -> str:
    if "\n" in block:
        return f"location {_written(where)} {{\n{textwrap.indent(block, '    ')}\n}}"
    return f"location {_written(where)} {{ {block} }}"


def _written(where: str) -> str:
    """Return a location as it is written in nginx's text."""
    return f"= {quoted(where[2:])}" if where.startswith("= ") else quoted(where)
