"""What runs: asked of the keepers and read from the records, never remembered."""

from __future__ import annotations

import os
from typing import NamedTuple

from zdd.host import files
from zdd.host.process import Process
from zdd.instances.classic import record
from zdd.keeper import client
from zdd.paths import Paths


class InstanceState(NamedTuple):
    """
    An instance as it is now.

    `state` is starting, serving, down, warm, draining, stopping or failed as its keeper says; `unkept` for an app whose
    keeper died, which goes on serving; `dead` when only its files are left. A classic instance is serving, or stopping
    once its stop command was run. `since` is in seconds of time.time(); `paused` for how many seconds more requests
    may wait; `restart_in` in how many seconds an app that has crashed is started again.
    """

    name: str
    service: str
    classic: bool
    state: str
    main: Process | None
    since: float | None = None
    restarts: int = 0
    port: int | None = None
    exit: str | None = None
    paused: float | None = None
    release: str | None = None
    restart_in: float | None = None

    @property
    def is_broken(self) -> bool:
        """Tell whether nobody serves here, and nothing but a command will change that for sure."""
        return self.state in ("dead", "down", "failed")


def observe_one(paths: Paths, name: str) -> InstanceState:
    """Return one instance as it is now."""
    return _classic(paths, name) if files.read(record.path(paths.control, name)) else _app(paths, name)


def observe(paths: Paths, patience: float = client.PATIENCE) -> dict[str, InstanceState]:
    """
    Return every instance that has left a trace, by name, those that only left files included.

    A keeper that does not answer within `patience` seconds counts as dead.
    """
    try:
        entries = sorted(os.listdir(paths.control))
    except FileNotFoundError:
        return {}
    found = {}
    for entry in entries:
        name, _, kind = entry.rpartition(".")
        if kind == "classic":
            found[name] = _classic(paths, name)
        elif kind == "json":
            found[name] = _app(paths, name, patience)
    return found


def _classic(paths: Paths, name: str) -> InstanceState:
    known = record.read(paths.control, name)
    if known is None:
        return InstanceState(name, name.rpartition("-")[0], True, "dead", None)
    main = known.main()
    state = "dead" if main is None else "stopping" if known.stop else "serving"
    return InstanceState(name, known.service.name, True, state, main, _since(main), port=known.port)


def _app(paths: Paths, name: str, patience: float = client.PATIENCE) -> InstanceState:
    service = name.rpartition("-")[0]
    try:
        status = client.ask(f"{paths.control}/{name}.sock", "status", patience, brief=True)
    except client.Gone:
        left = client.pids(paths.control, name)
        app = left.app if left.app and left.app.alive() else None
        return InstanceState(name, service, False, "unkept" if app else "dead", app, _since(app), port=left.port)
    return InstanceState(
        name,
        service,
        False,
        status["state"],
        Process.find(status["pid"]) if status["pid"] else None,
        status["since"],
        status["restarts"],
        status["port"],
        status["exit"],
        status.get("paused"),
        status.get("release"),
        status.get("restart_in"),
    )


def _since(main: Process | None) -> float | None:
    return main.started() if main else None
