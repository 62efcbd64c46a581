"""The record of an instance, which the command line writes for its keeper, and the keeper's files beside it."""

from __future__ import annotations

import os

from zdd.host import files, foreign, trees
from zdd.host import light_json as json
from zdd.host.process import Process
from zdd.keeper import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from dataclasses import dataclass
    from typing import Any
else:

    def dataclass(**_):
        """Do nothing: the real one would cost a keeper modules that it needs for nothing else."""
        return lambda cls: cls


# Names on disk that differ from ours, and stay: keepers of other versions read them.
_ON_DISK = {
    "kind": "socket",
    "socket": "path",
    "low_priority_for": "polite_for",
    "sole_instance": "alone",
    "start_held": "held",
}


@dataclass(kw_only=True)
class Record:
    """
    What a keeper runs, and how: R/control/INSTANCE.json, which the command line writes and the keeper reads once.

    A field with a value here is optional. Fields that this version does not know are ignored.
    """

    file: str  # the record's own
    version: int = VERSION
    project: str
    service: str
    instance: str
    release: str | None = None
    argv: list[str]
    env: dict[str, str]
    cwd: str
    kind: str
    folder: str
    socket: str  # what slots lead to; it and the next two are names in the folder
    keep: str = ""  # zdd 0.1.0 has none of these three
    waiting: str = ""
    app_folder: str = ""  # with a number: the app's own
    log: str
    log_max: int
    uid: int | None = None
    gid: int | None = None
    groups: list[int] | None = None
    access: list[int]
    start_timeout: float = 0.0  # not written by 0.1.0
    low_priority_for: float
    stop_signal: int
    stop_timeout: float
    drain_timeout: float
    sole_instance: bool
    hold_max: float
    start_held: bool = False
    stop_first: bool = False
    kills: str = ""  # where it is noted what had to be killed
    keep_warm: float | None = None
    predecessors: Sequence[dict[str, str | None]] = ()
    listen_variables: bool
    current: str
    table: str
    nginx_pid_file: str | None = None
    nginx_log: str = ""  # of an nginx that zdd runs, if there is one
    access_log: str = ""  # the same nginx's, if it has one
    publishes: str = ""  # where it is noted that connections are passed on to another instance
    health: dict[str, Any]  # the path, the host and the timeout of the health request, for the keeper
    asked: dict[str, Any] | None = None  # how the instance was proved, for the command line

    if not TYPE_CHECKING:

        def __init__(self, **fields):
            self.__dict__.update(fields)
            if missing := [name for name in type(self).__annotations__ if not hasattr(self, name)]:
                raise ValueError(f"{fields.get('file')} lacks {', '.join(missing)}")

    @classmethod
    def read(cls, file: str) -> Record:
        """Return a keeper's own record. Raises OSError or ValueError where it is missing, damaged or another one's."""
        with open(file, encoding="utf-8") as opened:
            try:
                record = cls.of(file, json.loads(opened.read()))
            except RecursionError:
                raise ValueError(f"{file} is nested too deeply") from None
        if record.version != VERSION:
            raise ValueError(f"{file} is of version {record.version!r}; this keeper reads {VERSION}")
        return record

    @classmethod
    def find(cls, file: str) -> Record | None:
        """Return the record of any version's keeper, None where it is missing or damaged."""
        try:
            return cls.of(file, files.read_object(file))
        except ValueError:
            return None

    @classmethod
    def of(cls, file: str, data: dict[str, Any]) -> Record:
        """Return the record of such a file. Raises ValueError where it lacks a field, or one has another type."""
        if not isinstance(data, dict):
            raise ValueError(f"{file} holds no JSON object")
        keys = {name: _ON_DISK.get(name, name) for name in cls.__annotations__}
        known = {name: data[key] for name, key in keys.items() if key in data}
        for name, value in known.items():
            if not foreign.has_type(value, cls.__annotations__[name]):
                raise ValueError(f"{file}: {keys[name]} must be {cls.__annotations__[name]}")
        return cls(**known | {"file": file})

    def write(self) -> None:
        """Replace the file."""
        data = {_ON_DISK.get(name, name): value for name, value in vars(self).items() if name != "file"}
        files.write(self.file, json.dumps({"version": VERSION} | data), mode=0o600)

    @property
    def control(self) -> str:
        """The keeper's control socket."""
        return f"{self.file.removesuffix('.json')}.sock"

    @property
    def pids(self) -> str:
        """The file that says which processes run."""
        return f"{self.file.removesuffix('.json')}.pids"

    @property
    def app_socket(self) -> str:
        """The socket of an app that binds it itself."""
        return f"{self.app_folder}.1/socket"

    def published(self) -> bool:
        """
        Return whether clients are sent here: by `current`, or by an nginx text that names the instance.

        If a file cannot be read the answer is yes: a bad read must not end an instance that serves.
        """
        try:
            return self.current_leads_here() or _manifest(self.table).get("exposed") is True
        except (OSError, ValueError, AttributeError, TypeError):
            return True

    def current_leads_here(self) -> bool:
        """Return whether `current` lists the instance; also True if that cannot be read or its table is missing."""
        try:
            manifest = _manifest(self.current)
            return self.instance in manifest.get("instances", ()) or (not manifest and os.path.islink(self.current))
        except (OSError, ValueError, AttributeError, TypeError):
            return True

    def write_pids(self, app: int | None, port: int | None) -> None:
        """Record the processes, so that the app is found if the keeper is killed."""
        pids = {"keeper": _pair(os.getpid()), "app": app and _pair(app), "port": port}
        try:
            files.write(self.pids, json.dumps(pids), mode=0o600)
        except OSError:  # a full disk does not stop the app
            pass

    def remove(self) -> None:
        """Remove the instance's folder, then its files in R/control, the control socket last."""
        remove(self.folder, self.pids, self.file, self.control)


def remove(folder: str, *paths: str) -> None:
    """
    Remove a folder with its content, then files.

    The app may still write into the folder: then the rest of it is left to the next command.
    """
    try:
        trees.remove(folder)
    except OSError:
        pass
    for path in paths:
        files.remove(path)


def living(pair: object) -> Process | None:
    """Return the process that a keeper has recorded by this pair, None if it has ended or the pair is none."""
    match pair:
        case [int(pid), int(start_time)] if 0 < pid <= foreign.HIGHEST_PID:
            process = Process(pid, start_time)
            return process if process.alive() else None
    return None


def _manifest(table: str) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(files.read(f"{table}/manifest.json") or "{}")
    return manifest


def _pair(pid: int) -> list[int] | None:
    process = Process.find(pid)
    return [process.pid, process.start_time] if process else None
