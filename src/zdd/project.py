"""Everything a deploy works on, in one hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from zdd.conf.schema import ClassicService, Config
from zdd.errors import ZddError
from zdd.events import Events
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.instances.environment import ResolvedService
from zdd.instances.pool import Instances
from zdd.interrupts import Interrupts
from zdd.nginx.proxy import Proxy, open_proxy
from zdd.paths import Paths
from zdd.routing.manifest import Manifest
from zdd.routing.tables import RoutingTables
from zdd.snapshot import Snapshot, Snapshots

if TYPE_CHECKING:
    from zdd.release.releases import Releases


class Project(msgspec.Struct, frozen=True):
    """A project on this machine: what was asked for, its files, its instances, its proxy, and who is told."""

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
        """What each committed deploy has started from."""
        return Snapshots(self.paths.deploys, self.config.folder)

    def snapshot(self, target: Manifest) -> Snapshot:
        """Return what a deploy starts from: new instances were just started, the others are as they were recorded."""
        config, instances = self.config, target.by_service()
        new = {one.service for one in target.new(self.tables.before(target))}
        services = {name: self.instances.service(name) if name in new else config.services[name] for name in instances}
        return Snapshot(
            deploy=target.deploy,
            origin=target.origin or target.deploy,
            release=target.release,
            releases={name: found[0].release for name, found in instances.items()},
            zdd=config.zdd,
            nginx=config.nginx,
            built=config.release,
            order=list(instances),
            apps={name: one for name, one in services.items() if isinstance(one, ResolvedService)},
            classic={name: one for name, one in services.items() if isinstance(one, ClassicService)},
        )

    def as_of(self, snapshot: Snapshot | None) -> Project:
        """Return the same project with the configuration and environment of then; with those of today for None."""
        if snapshot is None:
            return self
        return self.configured(snapshot.config(self.config))

    def configured(self, config: Config) -> Project:
        """Return the same project, in the same places and with the same listeners, with another configuration."""
        instances, proxy, releases = _parts(config, self.paths, self.commands, self.clock, self.events, self.interrupts)
        return msgspec.structs.replace(self, config=config, instances=instances, proxy=proxy, releases=releases)

    def folder_of(self, release: str | None) -> str:
        """Return where a release's code is: without [release], beside the configuration."""
        return self.releases.path(release) if self.releases and release else str(self.config.folder)

    def use(self, release: str) -> None:
        """Have S/current lead to the release, and its files win among the assets; a failure is only told."""
        if self.releases:
            try:
                self.releases.make_current(release)
                self.releases.unite_assets()
            except (ZddError, OSError) as error:
                self.events.notice(f"release {release}: {error}")

    def build(self, target: Manifest) -> None:
        """Have the table's release there, complete, its assets too. Raises DeployFailed with the build's last words."""
        if self.releases and target.release:
            from zdd.release.releases import Revision

            revision = Revision(target.release, target.commit)
            self.releases.build(revision, self.paths.deploy_log(target.deploy))
            self.releases.unite_assets()


def open_project(config: Config, events: Events, tell: Callable[[str], None] | None = None) -> Project:
    """
    Put the parts together; touches nothing.

    `tell` is given every command that is run. Raises UsageError where the places cannot be this project's.
    """
    paths, commands, clock, interrupts = Paths(config), Commands(tell), Clock(), Interrupts()
    paths.check()
    if gone := paths.moved_from():
        words = f"project {config.project} was deployed as {gone}, which is gone; {config.path} takes its place"
        events.notice(words)
    instances, proxy, releases = _parts(config, paths, commands, clock, events, interrupts)
    return Project(config, paths, RoutingTables(paths), instances, proxy, events, interrupts, commands, clock, releases)


def _parts(
    config: Config, paths: Paths, commands: Commands, clock: Clock, events: Events, interrupts: Interrupts
) -> tuple[Instances, Proxy, Releases | None]:
    """Return what depends on the configuration."""
    proxy = open_proxy(config, paths, commands, clock)
    instances = Instances(config, paths, commands, clock, events, interrupts, proxy.access)
    releases = None
    if config.release:
        from zdd.release.releases import Releases

        releases = Releases(config.release, paths, commands, events.notice, interrupts.check)
    return instances, proxy, releases
