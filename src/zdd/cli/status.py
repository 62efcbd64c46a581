"""zddeploy status: what serves, and whether anything is wrong."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping

import click

from zdd import terminal
from zdd.cli import options, streams
from zdd.errors import counted
from zdd.operate.status import InstanceStatus, ServiceStatus, Status, status
from zdd.project import Project
from zdd.terminal import fitted
from zdd.visible import in_json, visible

_EVERY = 1.0  # seconds between looks
_HOME, _END_OF_LINE, _END = "\x1b[H", "\x1b[K", "\x1b[J"


@options.command("status", "looks")
@click.option("-w", "--watch", is_flag=True, help="Repeat every second, until Ctrl-C.")
def command(project: Project, watch: bool, as_json: bool) -> int:
    r"""
    Show what serves: instances, connections and memory.

    `up` counts from the start of the instance's app. Its connections are nginx's, which keeps each for a moment after
    its last request, also after zddeploy's own requests. Exits 1 if something that should serve does not.

    \b
    Examples:
      zddeploy status
      zddeploy status --watch      with the CPU use of each instance
      zddeploy status --json
    """
    if watch:
        return _watch(project, as_json)
    current = status(project)
    if as_json:
        click.echo(in_json(current))
    else:
        click.echo("\n".join(fitted(line, sys.stdout) for line in lines(current, time.time())))
    return 1 if current.problems else 0


def lines(current: Status, now: float, cpu: Mapping[str, float] | None = None) -> list[str]:
    """Return the status as text. `cpu` has the share of a core that each instance used, if it is to be shown."""
    deploy = "" if current.deploy is None else f"deploy {current.deploy}, "
    shown = [f"{current.project}: {deploy}{'nothing is deployed' if current.state == 'nothing' else current.state}"]
    nginx = current.nginx
    if nginx.get("pid"):
        shown.append(f"  nginx {nginx['version'] or 'of unknown version'}, pid {nginx['pid']}")
    instances = [(row, service) for service in current.services for row in service.instances]
    rows = iter(terminal.table([_cells(row, service, now, cpu) for row, service in instances]))
    for service in current.services:
        if current.deploy is None and not service.instances:
            continue
        about = f", release {service.release}" if service.release else ""
        without = "" if service.instances else ": static files" if service.release else ": not deployed yet"
        shown.append(f"  {service.name}{about}{without}")
        for row in service.instances:
            shown.append(f"    {next(rows)}")
            if row.restarts and row.exit:
                shown.append(f"        restarted last after {row.exit}")
    shown += [f"  ! {problem}" for problem in current.problems]
    return [visible(line) for line in [*shown, *(f"  {note}" for note in current.notes)]]


def _cells(row: InstanceStatus, service: ServiceStatus, now: float, cpu: Mapping[str, float] | None) -> list[str]:
    used = f"{cpu[row.id]:>4.0%} cpu" if cpu and row.id in cpu else ""
    return [
        row.id,
        row.state,
        f"up {span(max(0.0, now - row.since))}" if row.since else "",
        used if cpu is not None else f"pid {row.pid}" if row.pid else "",
        "" if row.connections is None else counted(row.connections, "connection"),
        f"{row.memory_bytes / 1024**2:.0f} MB" if row.memory_bytes else "",
        counted(row.restarts, "restart") if row.restarts else "",
        f"of {row.release}" if row.release and row.release != service.release else "",
    ]


def span(seconds: float) -> str:
    """Return a duration in its largest fitting unit: 12 s, 5 m, 3 h, 4 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _watch(project: Project, as_json: bool) -> int:
    """On a terminal draw each status over the last one; elsewhere print one after the other."""
    on_terminal = sys.stdout.isatty() and not as_json
    if on_terminal:
        click.clear()
    with project.interrupts.caught():
        for current, cpu in _looks(project):
            if as_json:
                click.echo(in_json(current))
            elif on_terminal:
                ends = f"{time.strftime('%H:%M:%S')}, every second; Ctrl-C ends it"
                _draw([*lines(current, time.time(), cpu), "", ends])
            else:
                click.echo("\n".join([*lines(current, time.time(), cpu), ""]))
    return 0


def _looks(project: Project) -> Iterator[tuple[Status, dict[str, float]]]:
    """Yield the status each second, with the share of a core that each instance has used since the last look."""
    before: dict[str, float] = {}
    looked = 0.0
    while not (project.interrupts.noted or streams.reader_gone()):
        current, now = status(project), time.monotonic()
        rows = [row for service in current.services for row in service.instances]
        used = {row.id: row.cpu_seconds for row in rows if row.cpu_seconds is not None}
        yield (
            current,
            {name: max(0.0, used[name] - before[name]) / (now - looked) for name in used if name in before},
        )
        before, looked = used, now
        time.sleep(_EVERY)


def _draw(shown: list[str]) -> None:
    columns, rows = terminal.size()
    fitting = [line[: columns - 1] for line in shown[: rows - 1]]
    click.echo(_HOME + "\n".join(line + _END_OF_LINE for line in fitting) + "\n" + _END, nl=False, color=True)
