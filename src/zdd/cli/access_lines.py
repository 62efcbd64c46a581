"""The lines of `zddeploy logs --access`."""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Collection, Iterable

import click

from zdd.cli import streams
from zdd.nginx import own_log
from zdd.nginx.access_log import UNKNOWN, Request
from zdd.operate import access
from zdd.operate.access_parts import Parts
from zdd.project import Project
from zdd.visible import in_json, visible

_POLL = 0.2  # seconds between looks; a person reads
_MISSED = "the log was rotated more than once since the last look: requests of this time may be missing above"
_NGINX = "nginx"  # in the place of an instance, where nginx has answered by itself
_COLOURS = ((500, "red"), (400, "yellow"), (0, "green"))


def show(
    project: Project,
    services: Collection[str],
    instance: str | None,
    *,
    follow: bool,
    lines: int,
    since: float | None,
    as_json: bool,
) -> int:
    """Print the requests of these services, or all of them, also those that nginx has answered by itself."""
    path = access.require(project)
    for finding in own_log.missing(project.config):  # what was logged before can be read
        click.echo(finding.what, err=True)

    def wanted(request: Request) -> bool:
        return (not services or request.service in services) and instance in (None, request.instance or _NGINX)

    with contextlib.closing(Parts(path, project.clock)) as parts:
        if since is not None:
            found: Iterable[Request] = access.since(project, parts, wanted, since)
        else:
            found = access.last(project, parts, wanted, lines)
        any_shown = _print(found, as_json)
        if not (any_shown or follow or as_json):
            click.echo("no such request is in the log" if services or instance else "no request was logged", err=True)
        while follow and not streams.reader_gone():
            _print(access.new(project, parts, wanted), as_json)
            if parts.missed:
                click.echo(_MISSED, err=True)
            time.sleep(_POLL)
    return 0


def _print(requests: Iterable[Request], as_json: bool) -> bool:
    any_shown = False
    for request in requests:
        any_shown = True
        click.echo(in_json(request) if as_json else _line(request))
    return any_shown


def _line(request: Request) -> str:
    r"""
    Return the request in one line: when, which instance and release, the status, how long it took, and what was asked.

    >>> got = Request(0.0, None, None, None, 404, "GET", "shop.test", "/\x1b", 0.25, 9, [], "", 1)
    >>> _line(got).partition(" ")[2].partition(" ")[2]
    'nginx \x1b[33m404\x1b[0m 0.250 s GET shop.test/\\x1b'
    """
    when = datetime.datetime.fromtimestamp(request.time).isoformat(" ", "milliseconds")
    release = [request.release] if request.release and request.release != UNKNOWN else []
    colour = next(colour for least, colour in _COLOURS if request.status >= least)
    # An app of nginx's user can write into the log: of a file's release, too, it has the last word.
    words = [when, *map(visible, [request.instance or _NGINX, *release]), click.style(str(request.status), fg=colour)]
    return " ".join([*words, f"{request.seconds:.3f} s", visible(f"{request.method} {request.host}{request.path}")])
