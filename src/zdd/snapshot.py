"""
What each committed deploy has started from: its configuration, environment and releases, in S/deploys/N.json.

The configuration is the file's sections as they were read. The environment is, for each service with `run`, the content
of env_file and some variables of the deploying user's shell. These files hold secrets, so only their owner may read
them. A classic service inherits the whole environment of the deploying user, which is not written here, since it may
hold the secrets of a CI job. Paths inside the project's folder are relative to it, so that the folder can be renamed.
A file that the configuration only names, such as nginx's template, is read where it is.

Restart, rollback, up and a reboot start from these files and not from the configuration file of today. Only this is
today's: where the project is, `lock_timeout`, `keep_releases`, how somebody else's nginx is found, tested and
reloaded, and `drain_timeout`, `stop_timeout` and `keep_warm`, whose newest values hold for all instances.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from zdd import typed
from zdd.conf.nginx_section import NginxSection
from zdd.conf.schema import Config, ReleaseSection, ZddSection
from zdd.conf.services import ClassicService, Service, StaticService
from zdd.host import files, foreign
from zdd.instances.environment import ResolvedService
from zdd.typed import Damaged

T = TypeVar("T")
_PLACES = ("project", "state_dir", "runtime_dir", "lock_timeout")
_INCLUDED = ("pid_file", "binary", "reload", "test")
_NEWEST = ("drain_timeout", "stop_timeout", "keep_warm")


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """
    A version: the number of the deploy, and the releases of its services.

    `origin` is the deploy whose version this is: an earlier one after a restart, an up or a rollback, else the deploy
    itself. `release` is the deploy's own; a service that it did not touch may have another one.
    """

    deploy: int
    origin: int
    release: str | None
    releases: dict[str, str | None]


class Snapshot(Header, frozen=True, kw_only=True):
    """
    One such file.

    `apps`, `classic` and `static` are the services, `order` the names of all services of the deploy. A service in none
    of them was started by a zdd that wrote no such files, so what it started from is unknown.
    """

    zdd: ZddSection
    nginx: NginxSection
    built: ReleaseSection | None
    order: list[str]
    apps: dict[str, ResolvedService]
    classic: dict[str, ClassicService]
    static: dict[str, StaticService] = {}

    @property
    def known(self) -> dict[str, Service]:
        """The services of which it is known what they have started from."""
        return {**self.apps, **self.classic, **self.static}

    def config(self, today: Config) -> Config:
        """Return the configuration that the deploy had, with the values that are always today's."""
        services: dict[str, Service] = {}
        known = self.known
        for name in self.order:
            now = today.services.get(name)
            then = known.get(name) or now
            if then is not None:
                services[name] = _with_newest(then, now)
        built = self.built
        if built and today.release:
            built = replace(built, keep_releases=today.release.keep_releases)
        zdd = replace(self.zdd, **{key: getattr(today.zdd, key) for key in _PLACES})
        return replace(today, zdd=zdd, nginx=self._nginx(today), services=services, release=built, warnings=[])

    def _nginx(self, today: Config) -> NginxSection:
        """Return the section of then; of the same include, how its nginx is found and reloaded is always today's."""
        if not self.nginx.include or self.nginx.include != today.nginx.include:
            return self.nginx
        return replace(self.nginx, **{key: getattr(today.nginx, key) for key in _INCLUDED})


class Snapshots:
    """The folder of these files."""

    def __init__(self, folder: str, project: Path) -> None:
        self.folder = folder
        self.project = project

    def write(self, snapshot: Snapshot) -> None:
        """Write it; it is on disk after `sync`."""
        files.make_folder(self.folder, 0o700)
        text = msgspec.json.encode(snapshot, enc_hook=self._written).decode()
        files.write(self._path(snapshot.deploy), text, mode=0o600)

    def sync(self, deploy: int) -> None:
        """Write the deploy's file and its name to disk; a deploy of an earlier zdd has no file."""
        with contextlib.suppress(FileNotFoundError):
            for path in (self._path(deploy), self.folder, os.path.dirname(self.folder)):
                files.sync_path(path)

    def read(self, deploy: int) -> Snapshot | None:
        """Return what the deploy started from, None if its file is missing or damaged."""
        return self._decode(deploy, Snapshot)

    def headers(self) -> dict[int, Header]:
        """Return the version in each file, by deploy, oldest first; skip damaged files."""
        headers = {number: self._decode(number, Header) for number in self._numbers()}
        return {number: header for number, header in headers.items() if header}

    def remove(self, deploy: int) -> None:
        """Remove the deploy's file, if it exists."""
        with contextlib.suppress(NotADirectoryError):
            files.remove(self._path(deploy))

    def prune(self, keep: Collection[int]) -> None:
        """Remove all files but those of these deploys, half-written ones too: they hold secrets."""
        kept = {os.path.basename(self._path(number)) for number in keep}
        for name in os.listdir(self.folder) if os.path.isdir(self.folder) else ():
            if name not in kept:
                with contextlib.suppress(OSError):
                    files.remove(f"{self.folder}/{name}")

    def _decode(self, deploy: int, kind: type[T]) -> T | None:
        try:
            return typed.decode(files.read(self._path(deploy)) or "", kind, self._read)
        except (OSError, Damaged):
            return None

    def _numbers(self) -> list[int]:
        names = os.listdir(self.folder) if os.path.isdir(self.folder) else []
        numbers = (foreign.number(name[:-5]) for name in names if name.endswith(".json"))
        return sorted(number for number in numbers if number is not None)

    def _path(self, deploy: int) -> str:
        return f"{self.folder}/{deploy}.json"

    def _written(self, value: Any) -> str:
        """Return a path as the file has it: relative to the project's folder if it is inside that."""
        path = Path(value)
        return str(path.relative_to(self.project)) if path.is_relative_to(self.project) else str(path)

    def _read(self, kind: type, value: Any) -> Any:
        return self.project / value if kind is Path else value


def _with_newest(then: Service, now: Service | None) -> Service:
    """Return the service as it was, with today's values of the times that hold for instances of every version."""
    if now is None or (now.kind == "classic") != (then.kind == "classic"):
        return then
    return replace(then, **{key: getattr(now, key) for key in _NEWEST if key in then.__struct_fields__})
