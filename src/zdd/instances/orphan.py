"""An app whose keeper has died, or does not answer: its connections, and its end."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from zdd.host import process, sock_diag
from zdd.host.clock import Clock
from zdd.host.process import Process
from zdd.instances.name import service_of
from zdd.keeper import client, kills
from zdd.keeper.listener import count_connections
from zdd.keeper.record import Record, remove
from zdd.paths import Paths

_POLL = 0.01  # seconds, or more where a look costs much


def connections(paths: Paths, name: str) -> int:
    """Count the connections to the instance without asking its keeper, also those of an nginx in another namespace."""
    if (port := client.pids(paths.pids(name)).port) is not None:
        return sock_diag.connections_to_port(port)
    return count_connections(Record.find(paths.record(name)), paths.keep(name))


def drain(paths: Paths, name: str, seconds: float, workers: Sequence[Process], clock: Clock) -> None:
    """Wait, at most this long, until these workers of nginx have ended and nobody is connected to the instance."""
    until = clock.now() + seconds
    for worker in workers:
        worker.wait(until - clock.now())
    for _ in clock.paced(_POLL, until):
        if not connections(paths, name):
            break


def end(paths: Paths, name: str, patience: float, clock: Clock) -> None:
    """
    End the app and all its children, and remove the socket and the records; after `patience` seconds kill the rest.

    First kill a keeper that is alive but does not answer: it would restart its app.
    """
    pids = client.pids(paths.pids(name))
    if pids.keeper:
        process.end([pids.keeper], signal.SIGKILL, 0, clock.now)
    if app := client.pids(paths.pids(name)).app:
        _end_app(paths, name, app, patience, clock)
    remove(paths.instance(name), paths.pids(name), paths.record(name), paths.control_socket(name))


def _end_app(paths: Paths, name: str, app: Process, patience: float, clock: Clock) -> None:
    """Tell the app to stop, then, with what is left of its time, the children that it has left."""
    until = clock.now() + patience
    below = [child for pid in process.descendants(app.pid) if (child := Process.find(pid))]
    stop_signal = record.stop_signal if (record := Record.find(paths.record(name))) else signal.SIGTERM
    app_killed = process.end([app], stop_signal, patience, clock.now)
    rest_killed = process.end(below, stop_signal, max(0.0, until - clock.now()), clock.now)
    if app_killed or rest_killed:
        limit, service = kills.stop_timeout(patience), service_of(name)
        kills.note(paths.kills, name, service, is_whole=bool(app_killed), limit=limit, after=patience)
