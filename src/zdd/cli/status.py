"""zddeploy status: what serves, and whether all is well."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec

from zdd.cli import options
from zdd.deploy.status import InstanceStatus, Status, status
from zdd.errors import counted


@click.command("status")
@options.common
def command(conf: Path | None, verbose: bool, as_json: bool) -> int:
    """
    Show what serves, with its instances, connections and memory.

    Exits 1 when something that should serve does not.
    """
    found = status(options.site_of(conf, verbose, as_json, looks_only=True))
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        for line in lines(found, time.time()):
            click.echo(line)
    return 1 if found.problems else 0


def lines(found: Status, now: float) -> list[str]:
    """Return the status as text."""
    if found.deploy is None:
        shown = [f"{found.project}: nothing is deployed"]
    else:
        shown = [f"{found.project}: deploy {found.deploy}, {found.state}"]
    nginx = found.nginx
    if nginx.get("pid"):
        shown.append(f"  nginx {nginx['version']}, pid {nginx['pid']}")
    for service in found.services:
        shown.append(f"  {service.name}" + (f", release {service.release}" if service.release else ""))
        shown += [f"    {_instance(row, now)}" for row in service.instances]
    shown += [f"  ! {problem}" for problem in found.problems]
    return shown + [f"  {note}" for note in found.notes]


def _instance(row: InstanceStatus, now: float) -> str:
    parts = [f"{row.id:<20} {row.state:<9}"]
    if row.pid:
        parts.append(f"pid {row.pid}")
    if row.since:
        parts.append(f"for {span(now - row.since)}")
    if row.connections is not None:
        parts.append(counted(row.connections, "connection"))
    if row.restarts:
        parts.append(counted(row.restarts, "restart"))
    if row.memory_bytes:
        parts.append(f"{row.memory_bytes / 1024**2:.0f} MB")
    return "  ".join(parts)


def span(seconds: float) -> str:
    """Return a length of time as people say it: 12 s, 5 m, 3 h, 4 d."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
