"""The state of instances: the keepers answer for it and the records name it; zdd never remembers it."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from zdd.host.process import Process
from zdd.instances.classic import record
from zdd.instances.name import service_of
from zdd.keeper import client
from zdd.paths import Paths

_FROM_KEEPER = ("since", "restarts", "port", "exit", "paused", "release", "restart_in", "waiting", "stalled")
ORPHANED = "unkept"  # the word in `status --json`


class InstanceState(NamedTuple):
    """
    An instance as it is now.

    `state` is the keeper's word (starting, serving, down, warm, draining, stopping, failed, resting), ORPHANED for an
    app whose keeper died and that goes on serving, "dead" if only files are left. A classic instance is serving, or
    stopping once its stop command was run. `since` is in seconds of time.time(). Requests may wait `paused` seconds
    more. A crashed app is started again in `restart_in` seconds. For `stalled` seconds `waiting` connections have
    waited, and the app has accepted none.
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
    waiting: int = 0
    stalled: float | None = None

    @property
    def answers(self) -> bool:
        """Whether the app answers requests, even if nothing leads to it or its keeper has died."""
        return self.state in ("serving", "warm", ORPHANED)

    @property
    def is_broken(self) -> bool:
        """Whether the instance serves nobody, and may not recover without a command."""
        return self.state in ("dead", "down", "failed")


def observe(paths: Paths, patience: float = client.PATIENCE) -> dict[str, InstanceState]:
    """
    Return every instance that has left a trace, by name, those that only left files included.

    A keeper that does not answer within `patience` seconds counts as dead.
    """
    try:
        entries = sorted(os.listdir(paths.control))
    except FileNotFoundError:
        return {}
    states = {}
    for entry in entries:
        name, _, kind = entry.rpartition(".")
        if kind == "classic":
            states[name] = classic(paths, name)
        elif kind == "json":
            states[name] = supervised(paths, name, patience)
    return states


def classic(paths: Paths, name: str) -> InstanceState:
    """Return the state of a classic instance, by its record."""
    known = record.read(paths.classic_record(name))
    if known is None:
        return InstanceState(name, service_of(name), True, "dead", None)
    main = known.main()
    state = "dead" if main is None else "stopping" if known.stop else "serving"
    return InstanceState(name, known.service.name, True, state, main, _since(main), port=known.port)


def supervised(paths: Paths, name: str, patience: float = client.PATIENCE) -> InstanceState:
    """Return the state of a supervised instance, by its keeper's answer."""
    service = service_of(name)
    try:
        status = client.ask(paths.control_socket(name), "status", patience, brief=True)
    except client.Gone:
        left = client.pids(paths.pids(name))
        state = ORPHANED if left.app else "dead"
        return InstanceState(name, service, False, state, left.app, _since(left.app), port=left.port)
    main = Process.find(status["pid"]) if status["pid"] else None
    more: dict[str, Any] = {key: status[key] for key in _FROM_KEEPER if key in status}
    return InstanceState(name, service, False, status["state"], main, **more)


def _since(main: Process | None) -> float | None:
    return main.started() if main else None
