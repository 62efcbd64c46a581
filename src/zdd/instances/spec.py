"""What a supervised instance is given when it starts: the record that its keeper works by."""

from __future__ import annotations

import math
import shlex
import signal
from collections.abc import Mapping
from typing import Any

import msgspec

from zdd import typed
from zdd.conf.services import RunService
from zdd.host import files
from zdd.instances import environment
from zdd.instances.driver import Launch, ProxySide, Times
from zdd.instances.health import verdict
from zdd.instances.health.verdict import Asked
from zdd.keeper.record import Record
from zdd.paths import Paths
from zdd.typed import Damaged

KEEPER_TIMEOUT = 10.0  # seconds a keeper may take beyond the app's own time; it needs some 30 ms to start
_LISTEN_FD = "3"
_LOW_PRIORITY = 0.25  # of start_timeout: how long a starting app yields to running ones; then it needs the rest itself


def record_of(name: str, service: RunService, paths: Paths, launch: Launch) -> Record:
    """Return the record of a new instance's keeper. Raises UsageError for an unknown user or a bad env_file."""
    who, proxy, predecessors = environment.identity_of(service), launch.proxy(), launch.predecessors
    values = {"socket": paths.app_socket(name), "fd": _LISTEN_FD, "instance": name, "release": launch.release or ""}
    return Record(
        file=paths.record(name),
        project=paths.config.project,
        service=service.name,
        instance=name,
        release=launch.release,
        argv=[_fill(word, values) for word in shlex.split(service.run)],
        env={key: _fill(value, values) for key, value in _environment(name, service, paths, launch).items()},
        cwd=str(service.cwd or launch.folder),
        kind=service.socket,
        folder=paths.instance(name),
        socket=paths.socket(name),
        keep=paths.keep(name),
        waiting=paths.waiting(name),
        app_folder=paths.app_folder(name),
        log=paths.log(name),
        log_max=paths.config.zdd.log_max,
        **who._asdict(),
        **_times(service),
        **_of_nginx(proxy, paths),
        stop_signal=signal.Signals[f"SIG{service.stop_signal.removeprefix('SIG')}"].value,
        sole_instance=service.instances == 1,
        hold_max=service.hold_max,
        start_held=predecessors is not None,
        stop_first=service.order == "stop-first",
        kills=paths.kills,
        predecessors=[_predecessor(other, paths) for other in predecessors or ()],
        listen_variables=not _names_descriptor(service),
        current=paths.current,
        table=paths.table(launch.deploy),
        health=_health(service),
        asked=msgspec.to_builtins(Asked.by(service)),
    )


def _of_nginx(proxy: ProxySide, paths: Paths) -> dict[str, Any]:
    logs = {"nginx_log": paths.nginx_log, "access_log": paths.access_log, "publishes": paths.publishes}
    return {"access": proxy.users, "nginx_pid_file": proxy.pid_file, **logs}


def _times(service: RunService) -> dict[str, Any]:
    times, start = Times.of(service), service.start_timeout
    starting = {"start_timeout": start, "low_priority_for": start * _LOW_PRIORITY}
    return starting | {"keep_warm": times.warm, "drain_timeout": times.drain, "stop_timeout": times.stop}


def _environment(name: str, service: RunService, paths: Paths, launch: Launch) -> dict[str, str]:
    own = {
        "ZDD_PROJECT": paths.config.project,
        "ZDD_SERVICE": service.name,
        "ZDD_INSTANCE": name,
        "ZDD_DEPLOY": str(launch.deploy),
        "ZDD_RELEASE": launch.release or "",
        "ZDD_RELEASE_PATH": launch.folder,
    }
    return environment.clean(service, own)


def _predecessor(name: str, paths: Paths) -> dict[str, str | None]:
    socket = None if paths.is_of_0_1(name) else paths.socket(name)
    return {"control": paths.control_socket(name), "socket": socket}


def _health(service: RunService) -> dict[str, object]:
    path, host = service.health_path or "/", verdict.host_of(service)
    return {"path": path, "host": host, "timeout": service.health_timeout}


def _names_descriptor(service: RunService) -> bool:
    """
    Return whether the app gets its socket as {fd}; LISTEN_FDS would then name it a second time.

    gunicorn with `-b fd://{fd}` would take both for a socket each, and fail (measured with 27.0.1).
    """
    return any("{fd}" in text for text in (service.run, *service.env.values()))


def _fill(text: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{" + name + "}", value)
    return text


class _Recorded(msgspec.Struct):
    keep_warm: float | None = None  # keepers of zdd 0.1 do not have it
    drain_timeout: float = math.nan
    stop_timeout: float = math.nan


def has_times(record: str, times: Times) -> bool:
    """Return whether a record has these times; nothing else of it is read, since a command looks at all of them."""
    try:
        known = typed.decode(files.read(record) or "", _Recorded)
    except (OSError, Damaged):
        return False
    return (known.keep_warm, known.drain_timeout, known.stop_timeout) == (times.warm, times.drain, times.stop)


def as_started(service: RunService, record: Record | None) -> RunService:
    """Return the service with the health request by which the instance was proved, whatever is asked today."""
    if record is None:  # a new instance
        return service
    try:
        asked = msgspec.convert(record.asked, Asked)
    except msgspec.ValidationError:  # of an older zddeploy
        return service
    return msgspec.structs.replace(service, **msgspec.structs.asdict(asked))
