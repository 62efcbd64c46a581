"""The state of instances: the keepers answer for it and the records name it; zdd never remembers it."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from msgspec import Struct

from zdd.host.process import Process
from zdd.instances.classic import record
from zdd.instances.name import service_of
from zdd.keeper import client, survey
from zdd.paths import Paths

_FROM_KEEPER = ("since", "restarts", "port", "exit", "paused", "release", "restart_in", "waiting", "stalled")
ORPHANED = "unkept"  # the word in `status --json`


class InstanceState(Struct, frozen=True):
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


def names(paths: Paths) -> list[str]:
    """Return the names of all instances that have left a record, those that only left files included."""
    try:
        entries = sorted(os.listdir(paths.control))
    except FileNotFoundError:
        return []
    parts = (entry.rpartition(".") for entry in entries)
    return [name for name, _, kind in parts if kind in ("classic", "json")]


def observe(
    paths: Paths, patience: float = client.PATIENCE, chosen: Collection[str] | None = None
) -> dict[str, InstanceState]:
    """
    Return the state of every instance that has left a trace, or of those `chosen`, by name.

    All keepers are asked at once. A keeper that does not answer within `patience` seconds counts as dead.
    """
    states = {}
    wanted = names(paths) if chosen is None else chosen
    kept = {name: paths.control_socket(name) for name in wanted if not os.path.exists(paths.classic_record(name))}
    answers = survey.ask(kept.values(), "status", patience, brief=True)
    for name in wanted:
        states[name] = _supervised(paths, name, answers.get(kept[name])) if name in kept else classic(paths, name)
    return states


def classic(paths: Paths, name: str) -> InstanceState:
    """Return the state of a classic instance, by its record."""
    known = record.read(paths.classic_record(name))
    if known is None:
        return InstanceState(name, service_of(name), True, "dead", None)
    main = known.main()
    state = "dead" if main is None else "stopping" if known.stop else "serving"
    return InstanceState(name, known.service.name, True, state, main, _since(main), port=known.port)


def supervised(paths: Paths, name: str) -> InstanceState:
    """Return the state of a supervised instance, by its keeper's answer."""
    try:
        return _supervised(paths, name, client.ask(paths.control_socket(name), "status", brief=True))
    except client.Gone:
        return _supervised(paths, name, None)


def _supervised(paths: Paths, name: str, status: dict[str, Any] | None) -> InstanceState:
    """Return the state that follows from the keeper's answer, or from what it recorded if it gave none."""
    service = service_of(name)
    if status is None:
        left = client.pids(paths.pids(name))
        state = ORPHANED if left.app else "dead"
        return InstanceState(name, service, False, state, left.app, _since(left.app), port=left.port)
    main = Process.find(status["pid"]) if status["pid"] else None
    more: dict[str, Any] = {key: status[key] for key in _FROM_KEEPER if key in status}
    return InstanceState(name, service, False, status["state"], main, **more)


def _since(main: Process | None) -> float | None:
    return main.started() if main else None
