"""zddeploy logs: the output of the instances."""

from __future__ import annotations

import contextlib
import datetime
import functools
import sys
import time
from collections.abc import Collection, Iterable, Mapping

import click

from zdd.cli import completion, options, streams
from zdd.conf import units
from zdd.host import files
from zdd.instances.name import number_of, service_of
from zdd.operate import logs
from zdd.operate.logs import Line
from zdd.project import Project
from zdd.visible import in_json, visible

_POLL = 0.2  # seconds between looks; a person reads
_LONGEST = 2000  # characters of a line that a terminal shows; files and pipes get all of it
_NUMBER = 4  # characters of an instance's number with its dash, usually
_COLOURS = ("cyan", "green", "yellow", "magenta", "blue")


def _moment(text: str) -> float:
    """Read 10m (ten minutes ago) or a date, with or without the time of day, as of time.time()."""
    with contextlib.suppress(ValueError):
        return time.time() - units.seconds(text)
    try:
        return datetime.datetime.fromisoformat(text).timestamp()
    except ValueError:
        wrong = f"{text!r} is neither a duration such as 10m nor a time such as 2026-01-31 12:00"
        raise click.BadParameter(wrong) from None


@options.command("logs", "looks")
@options.services
@click.option("-f", "--follow", is_flag=True, help="Go on with new output, also of new instances.")
@click.option("-n", "--lines", type=click.IntRange(0), default=20, show_default=True, help="Lines of each instance.")
@click.option("--since", type=_moment, metavar="TIME", help="Everything since then, also of old instances.")
@click.option("--access", is_flag=True, help="Instead the requests that nginx has logged, and which version answered.")
@click.option("--rotate", is_flag=True, hidden=True)  # for the timer that `enable` writes, see rotation_timer.py
@click.option("--instance", metavar="NAME", shell_complete=completion.instances, help="Only this one, such as web-12.")
def command(
    project: Project,
    services: tuple[str, ...],
    follow: bool,
    lines: int,
    since: float | None,
    access: bool,
    rotate: bool,
    instance: str | None,
    as_json: bool,
) -> int:
    r"""
    Show the output of the instances, merged by time.

    For each service it shows the instances that serve and the newest ones even if they do not, as after a failed deploy
    or a rollback. With --since it shows all instances. Lines are merged by the times at their beginnings.

    With --access it shows requests: when, which instance and release have answered, or unknown, the status and how long
    it took.

    \b
    Examples:
      zddeploy logs -f                       all services, across deploys
      zddeploy logs web --since 10m          also "2026-01-31 12:00"
      zddeploy logs --instance web-12 -n 100
      zddeploy logs --access -f web
    """
    project.config.check_names(services)
    if rotate:
        from zdd.operate import log_rotation  # here, because looking needs nothing of it

        log_rotation.run(project)
        return 0
    if not access:
        return _show_output(
            project, services or tuple(project.config.services), follow, lines, since, instance, as_json
        )
    from zdd.cli import access_lines  # here, because the reader is slow to load

    return access_lines.show(project, services, instance, follow=follow, lines=lines, since=since, as_json=as_json)


def _show_output(
    project: Project,
    services: tuple[str, ...],
    follow: bool,
    lines: int,
    since: float | None,
    instance: str | None,
    as_json: bool,
) -> int:
    logged = logs.find(project.paths, services)
    if instance:
        logs.require(logged, instance)
    show = functools.partial(_show, width=max(map(len, logged)) + _NUMBER, as_json=as_json)
    follower = logs.Follower(project.paths, services, instance)
    names = [name for names in logged.values() for name in names if instance in (None, name)]
    if since is not None:
        any_shown = show(logs.since(project.paths, names, since))
    else:
        any_shown = show(logs.last(project.paths, names if instance else _wanted(project, logged), lines))
    runs = any(service not in project.config.static for service in services)
    if not (any_shown or as_json or (follow and runs)):
        click.echo(_nothing(project, runs), err=True)
    while follow and not streams.reader_gone():
        show(follower.new())
        time.sleep(_POLL)
    return 0


def _nothing(project: Project, runs: bool) -> str:
    """Return that no instance has printed anything, and what else there is to read."""
    said = "nothing has been printed" if runs else "nothing is printed by static services, which run no program"
    if not project.config.is_reached:
        return said
    from zdd.operate import access_files  # here, because most instances have printed something

    is_there = access_files.log_of(project.config, project.paths) is not None
    access = "shows requests" if is_there else "says why there are no requests either"
    errors = f"; nginx's errors are in {project.paths.nginx_log}" if files.size(project.paths.nginx_log) else ""
    return f"{said}: `zddeploy logs --access` {access}{errors}"


def _wanted(project: Project, logged: Mapping[str, list[str]]) -> Collection[str]:
    """Return the instances to show, and print their states if one of them does not serve."""
    states = logs.wanted(project, logged)
    if set(states.values()) - {"serving"}:
        click.echo("; ".join(f"{name}: {state}" for name, state in states.items()), err=True)
    return states


def _show(lines: Iterable[Line], width: int, as_json: bool) -> bool:
    """Print the lines; return whether there were any."""
    any_shown, whole = False, not sys.stdout.isatty()
    for line in lines:
        any_shown = True
        if as_json:
            click.echo(in_json(line))
        else:
            shift = len(service_of(line.instance)) + number_of(line.instance)
            colour = _COLOURS[shift % len(_COLOURS)]
            text = line.text if whole or len(line.text) <= _LONGEST else _shortened(line.text)
            click.echo(f"{click.style(f'{line.instance:<{width}} |', fg=colour)} {visible(text)}")
    return any_shown


def _shortened(text: str) -> str:
    return f"{text[:_LONGEST]}... and {len(text) - _LONGEST} characters more"
