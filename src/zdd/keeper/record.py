"""What the command line wrote down of an instance, and the files that the keeper puts beside it."""

from __future__ import annotations

import json
import os

from zdd.host import files
from zdd.host.process import Process
from zdd.keeper import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Record:
    """R/control/INSTANCE.json, read once. What is not there has a default; what nobody knows is ignored."""

    def __init__(self, path: str, data: dict[str, Any]) -> None:
        if data.get("version") != VERSION:
            raise ValueError(f"{path} is of version {data.get('version')!r}; this keeper reads {VERSION}")
        stem = path.removesuffix(".json")
        self.path, self.control, self.pids = path, f"{stem}.sock", f"{stem}.pids"
        self.service: str = data["service"]
        self.instance: str = data["instance"]
        self.release: str | None = data.get("release")
        self.argv: list[str] = data["argv"]
        self.env: dict[str, str] = data["env"]
        self.cwd: str = data["cwd"]
        self.kind: str = data["socket"]
        self.folder: str = data["folder"]
        self.socket: str = data["path"]  # what slots lead to; it and the next two are names in the folder
        self.keep: str = data["keep"]
        self.waiting: str = data["waiting"]
        self.app_folder: str = data["app_folder"]  # with a number: the app's own
        self.app_socket = f"{self.app_folder}.1/socket"  # of an app that binds it itself
        self.log: str = data["log"]
        self.log_max: int = data.get("log_max", 0)
        self.uid: int | None = data.get("uid")
        self.gid: int | None = data.get("gid")
        self.groups: list[int] | None = data.get("groups")
        self.access: list[int] = data.get("access", [])
        self.start_timeout: float = data.get("start_timeout", 60.0)
        self.polite_for: float = data.get("polite_for", 15.0)
        self.stop_signal: int = data.get("stop_signal", 15)
        self.stop_timeout: float = data.get("stop_timeout", 10.0)
        self.drain_timeout: float = data.get("drain_timeout", 30.0)
        self.alone: bool = data.get("alone", True)
        self.hold_max: float = data.get("hold_max", 30.0)
        self.held: bool = data.get("held", False)
        self.stop_first: bool = data.get("stop_first", False)
        self.predecessors: list[dict[str, str | None]] = data.get("predecessors", [])
        self.listen_variables: bool = data.get("listen_variables", True)
        self.current: str = data["current"]
        self.table: str = data.get("table") or ""
        self.nginx_pid_file: str | None = data.get("nginx_pid_file")
        health = data.get("health") or {}
        self.health_path: str = health.get("path") or "/"
        self.health_host: str = health.get("host") or "localhost"
        self.health_timeout: float = health.get("timeout") or 5.0

    @classmethod
    def read(cls, path: str) -> Record:
        """Raises OSError, ValueError or KeyError for a record that is missing or damaged."""
        with open(path, encoding="utf-8") as file:
            return cls(path, json.load(file))

    def published(self) -> bool:
        """
        Tell whether clients are led here: by `current`, or because nginx was told of the instance's table by a reload.

        In doubt they are: what serves must not end over a bad read.
        """
        try:
            return self.current_leads_here() or _manifest(self.table).get("exposed") is True
        except (OSError, ValueError, AttributeError, TypeError):
            return True

    def current_leads_here(self) -> bool:
        """Tell whether `current` lists the instance; in doubt, as when it leads to a table that is gone, it does."""
        try:
            manifest = _manifest(self.current)
            return self.instance in manifest.get("instances", ()) or (not manifest and os.path.islink(self.current))
        except (OSError, ValueError, AttributeError, TypeError):
            return True

    def sibling(self) -> str | int | None:
        """
        Return where another instance of the service listens that serves now: its socket, or its port.

        Never by a name that an app could have made: the slot only tells which instance it is, and in that one's folder
        there are names that its keeper gives.
        """
        if self.kind == "tcp":
            return self._sibling_port()
        slots = f"{self.current}/{self.service}"
        try:
            targets = [os.readlink(f"{slots}/{name}") for name in sorted(os.listdir(slots))]
        except OSError:
            return None
        instances = os.path.dirname(self.folder)
        names = [target.partition("/instances/")[2].partition("/")[0] for target in targets]
        found = (_socket_in(f"{instances}/{name}") for name in names if name not in ("", self.instance))
        return next((path for path in found if path), None)

    def _sibling_port(self) -> int | None:
        """Return the port of another instance of the table in force."""
        try:
            instances = _manifest(self.current).get("instances", {})
        except (OSError, ValueError, AttributeError):
            return None
        ports = [
            one.get("port")
            for name, one in instances.items()
            if name != self.instance and one.get("service") == self.service
        ]
        return next((port for port in ports if isinstance(port, int)), None)

    def write_pids(self, app: int | None, port: int | None) -> None:
        """Write down who runs, so that the app is found when the keeper is killed."""
        pids = {"keeper": _pair(os.getpid()), "app": app and _pair(app), "port": port}
        try:
            files.write(self.pids, json.dumps(pids), mode=0o600)
        except OSError:  # a full disk: the app runs all the same
            pass

    def remove(self) -> None:
        """Leave nothing of the instance: its folder, then what is in R/control, the control socket last."""
        remove(self.folder, self.pids, self.path, self.control)


def remove(folder: str, *paths: str) -> None:
    """
    Remove a folder and what is in it, then files. What somebody still writes to is left to the next command.

    The app may have written there, whatever it liked: that stops nobody from removing the rest.
    """
    try:
        files.remove_tree(folder)
    except OSError:
        pass
    for path in paths:
        files.remove(path)


def _socket_in(folder: str) -> str | None:
    """
    Return where connections to an instance are led, by a name that its keeper has made; None while they are not.

    While the instance holds requests that is where they wait. A keeper of zdd 0.1 has such a name only of the app's own
    socket: name, or name.1, name.2, of which the highest is the newest.
    """
    try:
        names = [name for name in os.listdir(folder) if name.partition(".")[0] == "name"]
    except OSError:
        return None
    newest = sorted(names, key=lambda name: int(name.partition(".")[2] or 0))[-1:]
    found = (f"{folder}/{name}" for name in ["socket", *newest])
    return next((path for path in found if os.path.exists(path)), None)


def _manifest(table: str) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(files.read(f"{table}/manifest.json") or "{}")
    return manifest


def _pair(pid: int) -> list[int] | None:
    found = Process.find(pid)
    return [found.pid, found.start_time] if found else None
