"""
The other instances of a service, as the table in force and the names that their keepers make show them.

No keeper is asked: two keepers that ask each other at the same time would both wait. A name in the instance's folder,
where no app can write, shows whether the instance serves: `socket` is then a hard link of `keep`. A port has no such
name, so its keeper makes a file `outage` for the time of an outage.
"""

from __future__ import annotations

import os

from zdd.host import files, foreign
from zdd.host.process import Process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from zdd.keeper.record import Record

OUTAGE = "outage"


class Siblings:
    """Where connections can go instead of this instance: the path of a socket, or a port of 127.0.0.1."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._read: tuple[str, dict[str, dict[str, Any]]] = "", {}  # the table in force, and its instances

    def serving(self) -> str | int | None:
        """
        Return a sibling whose app serves its connections; None if there is none.

        Also None for an instance that is not in force: before the switch the instances in force are the old version's.
        """
        names = self._names()
        if self.record.instance not in names:
            return None
        return next((where for name in names if self._serves(name) and (where := self._where(name))), None)

    def taking(self) -> str | int | None:
        """Return an instance in force that takes connections, if possible one that serves; in others they wait."""
        names = self._names()
        names.sort(key=self._serves, reverse=True)
        return next((where for name in names if (where := self._where(name))), None)

    def has_this_one(self) -> bool:
        """Return whether this instance is in force itself."""
        return self.record.instance in self._names()

    def _names(self) -> list[str]:
        """Return the service's instances in force, in the order of their slots."""
        if self.record.kind == "tcp":
            return [name for name, other in self._instances().items() if other.get("service") == self.record.service]
        slots = f"{self.record.current}/{self.record.service}"
        try:
            targets = [os.readlink(f"{slots}/{name}") for name in sorted(os.listdir(slots))]
        except OSError:
            return []
        names = [target.partition("/instances/")[2].partition("/")[0] for target in targets]
        return [name for name in dict.fromkeys(names) if name]

    def _serves(self, name: str) -> bool:
        """Return whether the instance's own app gets its connections, and, by its keeper's record, runs."""
        folder = self._folder(name)
        if self.record.kind == "tcp":
            shows = not os.path.lexists(f"{folder}/{OUTAGE}")
        else:
            shows = _is_same(f"{folder}/socket", f"{folder}/keep")
        return shows and name != self.record.instance and self._lives(name)

    def _lives(self, name: str) -> bool:
        """Return whether the keeper or the app lives; both may have been killed while the instance served."""
        pids = files.read_object(f"{os.path.dirname(self.record.file)}/{name}.pids")
        pairs = [pids.get("keeper"), pids.get("app")]
        known = [pair for pair in pairs if isinstance(pair, list) and len(pair) == 2]
        return not known or any(type(pid) is int and Process(pid, start).alive() for pid, start in known)

    def _where(self, name: str) -> str | int | None:
        if name == self.record.instance:
            return None
        if self.record.kind != "tcp":
            return _socket_in(self._folder(name))
        port = self._instances()[name].get("port")
        return port if isinstance(port, int) else None

    def _folder(self, name: str) -> str:
        return f"{os.path.dirname(self.record.folder)}/{name}"

    def _instances(self) -> dict[str, dict[str, Any]]:
        """Return the instances of the manifest in force, which is read once for each table."""
        try:
            table = os.readlink(self.record.current)
        except OSError:
            return {}
        if table != self._read[0]:
            found = files.read_object(f"{self.record.current}/manifest.json").get("instances")
            known = found.items() if isinstance(found, dict) else ()
            self._read = table if known else "", {name: other for name, other in known if isinstance(other, dict)}
        return self._read[1]


def _socket_in(folder: str) -> str | None:
    """
    Return the socket that takes an instance's connections, by a name that its keeper made; None if there is none.

    While the instance holds requests, they wait in that socket. A keeper of zdd 0.1 names only the app's own socket:
    name, or name.1, name.2, of which the highest is the newest.
    """
    try:
        names = [name for name in os.listdir(folder) if name.partition(".")[0] == "name"]
    except OSError:
        return None
    newest = sorted(names, key=lambda name: foreign.number(name.partition(".")[2]) or 0)[-1:]
    paths = (f"{folder}/{name}" for name in ["socket", *newest])
    return next((path for path in paths if os.path.exists(path)), None)


def _is_same(name: str, other: str) -> bool:
    try:
        return os.path.samestat(os.lstat(name), os.lstat(other))
    except OSError:
        return False
