"""A project: everything that a command works on, in one object."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from zdd import usable
from zdd.claims import who
from zdd.conf.schema import Config
from zdd.conf.services import classic, static
from zdd.errors import Locked, ZddError
from zdd.events import Events
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.lock import Busy, Lock
from zdd.instances.drivers import Drivers
from zdd.instances.environment import ResolvedService
from zdd.instances.pool import Instances
from zdd.interrupts import Interrupted, Interrupts
from zdd.nginx.proxies import open_proxy
from zdd.nginx.proxy import Proxy
from zdd.paths import Paths
from zdd.routing.manifest import Manifest
from zdd.routing.tables import RoutingTables
from zdd.snapshot import Snapshot, Snapshots

if TYPE_CHECKING:
    from zdd.release.releases import Releases

_INTERRUPTED = 130  # the exit code for: interrupted while nothing was being changed


class Project(msgspec.Struct, frozen=True):
    """A project on this machine: its configuration, files, instances and proxy, and the listeners of its events."""

    config: Config
    paths: Paths
    tables: RoutingTables
    instances: Instances
    proxy: Proxy
    events: Events
    interrupts: Interrupts
    commands: Commands
    clock: Clock
    releases: Releases | None

    @property
    def name(self) -> str:
        """The project's name."""
        return self.config.project

    @property
    def snapshots(self) -> Snapshots:
        """What each committed deploy started with."""
        return Snapshots(self.paths.deploys, self.config.folder)

    def snapshot(self, target: Manifest) -> Snapshot:
        """Return what a deploy starts with: new instances have just started, the others as they were recorded."""
        config = self.config
        new = {instance.service for instance in target.new(self.tables.before(target))}
        order = target.services()
        services = {name: self.instances.service(name) if name in new else config.services[name] for name in order}
        return Snapshot(
            deploy=target.deploy,
            origin=target.origin or target.deploy,
            release=target.release,
            releases=target.releases(),
            zdd=config.zdd,
            nginx=config.nginx,
            built=config.release,
            order=order,
            apps={name: app for name, app in services.items() if isinstance(app, ResolvedService)},
            classic=classic(services),
            static=static(services),
        )

    def as_of(self, snapshot: Snapshot | None) -> Project:
        """Return the same project with the snapshot's configuration and environment; with today's for None."""
        if snapshot is None:
            return self
        return self.configured(snapshot.config(self.config))

    def as_deployed(self, table: Manifest | None) -> Project:
        """Return the same project with the configuration of the table's deploy; with today's for None."""
        return self.as_of(self.snapshots.read(table.deploy)) if table else self

    def patient(self, seconds: float) -> Project:
        """Return the same project, whose commands wait at least so many seconds for a deploy that runs."""
        longer = msgspec.structs.replace(self.config.zdd, lock_timeout=max(self.config.zdd.lock_timeout, seconds))
        return self.configured(msgspec.structs.replace(self.config, zdd=longer))

    def configured(self, config: Config) -> Project:
        """Return the same project, with the same paths and listeners, but another configuration."""
        return _build(config, self.paths, self.commands, self.clock, self.events, self.interrupts)

    def folder_of(self, release: str | None) -> str:
        """Return the folder of a release's code; without [release] it is the configuration's folder."""
        return self.releases.path(release) if self.releases and release else str(self.config.folder)

    def use(self, release: str) -> None:
        """Point S/current to the release and let its files win among the assets. Only report a failure."""
        if self.releases:
            try:
                self.releases.make_current(release)
                self.releases.unite_assets()
            except (ZddError, OSError) as error:
                self.events.notice(f"release {release}: {error}")

    def build(self, target: Manifest) -> None:
        """Build the table's release and its assets, unless they exist. Raises DeployFailed with the last output."""
        if self.releases and target.release:
            from zdd.release.releases import Revision

            revision = Revision(target.release, target.commit)
            self.releases.build(revision, self.paths.deploy_log(target.deploy))
            self.releases.unite_assets()

    def unite_static(self, table: Manifest, is_final: bool = False) -> None:
        """
        Keep the files of earlier releases reachable whose names tell their content; see static_files.unite.

        Raises DeployFailed.
        """
        if self.releases and (table.static or os.path.isdir(self.paths.static)):
            from zdd.release import static_files

            folders = {name: at.folder for name, at in table.static.items()}
            static_files.unite(self.releases, self.paths, folders, is_final)

    @contextlib.contextmanager
    def locked(self, command: str) -> Iterator[None]:
        """
        Make the folders, hold the lock and note signals while a changing command runs: one at a time.

        Raises Locked if another command holds the lock for longer than the project's lock_timeout, and Interrupted if a
        signal comes before the lock is ours.
        """
        lock = Lock(self.paths.lock)
        with self.interrupts.caught():
            try:
                self._acquire(lock, command)
            except Busy as busy:
                raise _is_locked(self.name, busy.holder) from None
            except Interrupted as interrupted:
                interrupted.exit_code, interrupted.hint = _INTERRUPTED, "nothing was changed"
                raise
            try:
                if notice := self.paths.prepare():
                    self.events.notice(notice)
                yield
            finally:
                lock.release()

    def _acquire(self, lock: Lock, command: str) -> None:
        if hidden := usable.private(self.paths.runtime):  # else it would change nothing that runs, and say "done"
            raise hidden

        def describe() -> dict[str, object]:
            # The last two are for comparisons: somebody may set the clock meanwhile.
            holder = {"who": who(), "pid": os.getpid(), "command": command, "since": time.time()}
            return holder | {"monotonic": time.monotonic(), "last_deploy": self.paths.last_logged_deploy()}

        deadline = time.monotonic() + self.config.zdd.lock_timeout
        while lock.fd is None:
            self.interrupts.check()
            self.paths.make_room()
            try:
                lock.acquire(describe, deadline - time.monotonic(), self.interrupts.check)
            except FileNotFoundError:
                continue  # `down` removed the folder while we waited for its lock


def _is_locked(project: str, holder: dict[str, object]) -> Locked:
    since = holder.get("monotonic")
    ago = f", for {time.monotonic() - since:.0f} s" if isinstance(since, float) else ""
    return Locked(
        f"{project} is being changed by {holder.get('who', 'somebody')}: "
        f"`{holder.get('command', 'zddeploy')}`, pid {holder.get('pid', 'unknown')}{ago}",
        hint="wait, or let zddeploy wait: --lock-timeout 60s",
    )


def open_project(
    config: Config, events: Events, log: Callable[[str], None] | None = None, only_looks: bool = False
) -> Project:
    """
    Build the project from its parts, without touching anything.

    `log` is called with every command that runs; `only_looks` is as in Commands. Raises UsageError if the paths belong
    to another project.
    """
    paths, commands, clock, interrupts = Paths(config), Commands(log, only_looks), Clock(), Interrupts()
    paths.require(events.notice)
    return _build(config, paths, commands, clock, events, interrupts)


def _build(
    config: Config, paths: Paths, commands: Commands, clock: Clock, events: Events, interrupts: Interrupts
) -> Project:
    tables, drivers = RoutingTables(paths), Drivers(config, paths, commands, clock)
    proxy = open_proxy(config, paths, commands, clock, interrupts.check)
    instances = Instances(drivers, events, interrupts, proxy.access)
    releases = None
    if config.release:
        from zdd.release.releases import Releases

        releases = Releases(config.release, paths, commands, events.notice, interrupts.check)
    return Project(config, paths, tables, instances, proxy, events, interrupts, commands, clock, releases)
