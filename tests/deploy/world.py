"""A machine where nothing is real but the tables, and zddeploy dies at any operation that changes something."""

from __future__ import annotations

import copy
import json
import math
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from zdd.conf import read
from zdd.conf.schema import Config
from zdd.conf.services import RunService, Service
from zdd.errors import DeployFailed
from zdd.events import Events, Unproved
from zdd.finding import Finding
from zdd.host import files
from zdd.host.clock import Clock
from zdd.host.command import Commands
from zdd.host.process import Process
from zdd.instances.driver import Driver, Launch, ProxySide
from zdd.instances.drivers import Drivers
from zdd.instances.health.failure import InstanceFailed
from zdd.instances.health.verdict import Health
from zdd.instances.name import number_of, service_of
from zdd.instances.pool import Instances
from zdd.instances.state import InstanceState
from zdd.interrupts import Interrupts
from zdd.nginx.certificates.state import CertificateState
from zdd.nginx.config.listen import Visit
from zdd.nginx.process.binary import Binary
from zdd.nginx.process.master import Absent, Answer
from zdd.nginx.process.whereabouts import Whereabouts
from zdd.nginx.proxy import MaintenanceCheck
from zdd.paths import Paths
from zdd.project import Project
from zdd.release.releases import Releases, Revision
from zdd.release.shelf import Shelf
from zdd.routing.manifest import Manifest, is_static, static_slot
from zdd.routing.tables import RoutingTables
from zdd.snapshot import Snapshot, Snapshots


class Killed(BaseException):
    """kill -9 of zddeploy."""


@dataclass
class FakeInstance:
    name: str
    service: str
    kind: str
    state: str = "starting"
    leased: bool = True
    old: list[str] = field(default_factory=list)  # what must rest before this one starts
    way_back: bool = False
    relays_to: str = ""  # whom it sends its clients to, when it does not serve itself


@dataclass
class World:
    """What runs and what nginx has been told, all of which survives zddeploy."""

    folder: Path
    instances: dict[str, FakeInstance] = field(default_factory=dict)
    text: dict[str, list[str]] = field(default_factory=dict)  # service -> slots, or "port of INSTANCE"
    text_before: dict[int, dict[str, list[str]]] = field(default_factory=dict)
    highest: dict[str, int] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)  # services whose new instances never become healthy
    failing: str = ""  # the step that fails
    nginx: Answer = Absent("nginx is a fake")  # noqa: RUF009  (never changed)
    retiring: list[Process] = field(default_factory=list)  # nginx's workers of an older text
    waited_for: dict[str, list[Process]] = field(default_factory=dict)  # by instance: what its drain waits for
    operations: int = 0
    dies_at: int | None = None
    dies_before: str = ""
    watch: Callable[[], None] = lambda: None
    room: Callable[[], None] = lambda: None  # raises OSError where an instance or nginx needs space and there is none

    def asleep(self) -> Asleep:
        """Return all of it, files too, as a value."""
        files: dict[str, str] = {}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if path.is_symlink():
                files[name] = f"-> {path.readlink()}"
            elif path.is_file() and path.name not in ("history.jsonl", "lock"):
                files[name] = path.read_text()
        return Asleep(
            self.folder, copy.deepcopy(self.instances), self.text, dict(self.text_before), dict(self.highest), files
        )

    def changes(self, what: str = "") -> None:
        """Mark one operation that changes something: the place to be killed at, before it takes effect."""
        if what and what == self.dies_before:
            self.dies_at = 0
        self.watch()
        self.operations += 1
        if self.dies_at is not None and self.operations >= self.dies_at:  # dead is dead: not even undoing
            raise Killed

    def after_death(self) -> None:
        """What the kernel and the keepers do when zddeploy is gone: unpublished new instances end by themselves."""
        tables = RoutingTables(Paths(load(self.folder)))
        current = tables.current()
        published = set(current.instances) if current else set()
        exposed = {
            name
            for number in tables.numbers()
            if (manifest := tables.read(number)) and manifest.exposed
            for name in manifest.instances
        }
        for name, instance in list(self.instances.items()):
            if not instance.leased or instance.kind == "classic":
                continue
            instance.leased = False
            if name in published | exposed or instance.way_back:
                self._finish_alone(instance)
            else:
                del self.instances[name]

    def _finish_alone(self, instance: FakeInstance) -> None:
        """What a keeper does in a stop-first deploy that has lost its zddeploy."""
        fails = instance.service in self.broken and not instance.way_back
        if instance.state == "starting" and not fails:
            instance.state = "serving"
        elif instance.state in ("held", "resting", "starting") and not instance.way_back:
            old = [self.instances[name] for name in instance.old if name in self.instances]
            instance.state = "resting" if old else "serving"
            for one in old:
                one.state, instance.relays_to = "serving", one.name

    def project(self, config: Config) -> Project:
        """Return a site of this world, as one run of zddeploy has it."""
        paths = Paths(config)
        paths.prepare()
        clock, events, interrupts = Clock(), Events(), Interrupts()
        drivers = FakeDrivers(self, config)
        proxy = FakeProxy(self, routes=config.nginx.template is None)
        return FakeProject(
            config=config,
            paths=paths,
            tables=FakeTables(paths, self),
            instances=Instances(drivers, events, interrupts, proxy.access),
            proxy=proxy,
            events=events,
            interrupts=interrupts,
            commands=Commands(),
            clock=clock,
            releases=cast("Releases", FakeReleases(paths, self)) if config.release else None,
        )

    def serving(self) -> dict[str, list[str]]:
        """Return the instances that clients reach now, by service: where nginx's text and the table in force lead."""
        tables = RoutingTables(Paths(load(self.folder)))
        name = tables.published()
        reached: dict[str, list[str]] = {}
        for service, targets in self.text.items():
            for target in targets:
                if target.startswith("port of "):
                    reached.setdefault(service, []).append(target.removeprefix("port of "))
                else:
                    link = Path(tables.paths.tables) / (name or "none") / target
                    met = link.readlink().parts[-2] if link.is_symlink() else "nowhere"  # an instance, or a release
                    if link.is_symlink() and is_static(target) != ("releases" in link.readlink().parts):
                        met = f"{target}, the wrong kind"
                    relay = self.instances.get(met)
                    reached.setdefault(service, []).append((relay and relay.relays_to) or met)
        return reached

    def generations(self) -> dict[str, int]:
        """Return how many instances of each service run, whatever their state."""
        counts: dict[str, int] = {}
        for instance in self.instances.values():
            counts[instance.service] = counts.get(instance.service, 0) + 1
        return counts


@dataclass(frozen=True)
class Asleep:
    """A world at one moment; any number of futures can begin from it."""

    folder: Path
    instances: dict[str, FakeInstance]
    text: dict[str, list[str]]
    text_before: dict[int, dict[str, list[str]]]
    highest: dict[str, int]
    files: dict[str, str]

    def awake(self) -> World:
        """Let it go on, from its own files."""
        for entry in ("S", "R"):
            shutil.rmtree(self.folder / entry, ignore_errors=True)
        for name, text in self.files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text.startswith("-> "):
                path.symlink_to(text.removeprefix("-> "))
            else:
                path.write_text(text)
        instances = copy.deepcopy(self.instances)
        return World(self.folder, instances, self.text, dict(self.text_before), dict(self.highest))


class FakeProject(Project, frozen=True):
    """A site whose configuration never changes: all that is not real in it stays."""

    @property
    def snapshots(self) -> Snapshots:
        return FakeSnapshots(self.paths.deploys, self.config.folder, cast("FakeTables", self.tables).world)

    def as_of(self, snapshot: Snapshot | None) -> Project:
        return self


class FakeSnapshots(Snapshots):
    """The real snapshots, on disk; every change is a place to die at."""

    def __init__(self, folder: str, project: Path, world: World) -> None:
        super().__init__(folder, project)
        self.world = world

    def write(self, snapshot: Snapshot) -> None:
        self.world.changes()
        super().write(snapshot)

    def sync(self, deploy: int) -> None:
        self.world.changes()
        super().sync(deploy)

    def remove(self, deploy: int) -> None:
        self.world.changes()
        super().remove(deploy)

    def prune(self, keep: Collection[int]) -> None:
        self.world.changes()
        super().prune(keep)


class FakeReleases(Shelf):
    """Releases that are a folder with one page; every change is a place to die at."""

    def __init__(self, paths: Paths, world: World) -> None:
        super().__init__(paths, lambda _: None)
        self.world = world

    def is_complete(self, release: str) -> bool:
        return Path(self.marker(release)).exists()

    def build(self, revision: Revision, log: str) -> None:
        self.world.changes()
        page = Path(self.path(revision.id)) / "dist/index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(revision.id)
        self.world.changes()
        Path(self.marker(revision.id)).touch()

    def make_current(self, release: str) -> None:
        self.world.changes()
        files.point(self.link, f"releases/{release}")

    def ids(self) -> list[str]:
        return [name for name in self._names() if not name.endswith(".complete") and self.is_complete(name)]

    def prune(self, served: Sequence[str], keep: Collection[str]) -> list[str]:
        self.world.changes()
        return self.discard([release for release in self.ids() if release not in {*served[:2], *keep, self.current()}])

    def remove(self, release: str) -> None:
        Path(self.marker(release)).unlink(missing_ok=True)
        shutil.rmtree(self.path(release), ignore_errors=True)

    def discard_half_built(self, keep: Collection[str] = ()) -> list[str]:
        names = [name for name in self._names() if not name.endswith(".complete")]
        return self.discard([name for name in names if not self.is_complete(name)])

    def unite_assets(self) -> None: ...


class FakeTables(RoutingTables):
    """The real tables, on disk; every change is a place to die at."""

    def __init__(self, paths: Paths, world: World) -> None:
        super().__init__(paths)
        self.world = world

    def write(self, manifest: Manifest, sync: bool = False) -> None:
        self.world.changes()
        super().write(manifest, sync)

    def build(self, deploy: int, slots: dict[str, str], name: str | None = None) -> str:
        self.world.changes()
        return super().build(deploy, slots, name)

    def make_ready(self, target: Manifest, names: Iterable[str]) -> None:
        self.world.changes()
        super().make_ready(target, names)

    def publish(self, name: str) -> None:
        self.world.changes(f"publish {name}")
        super().publish(name)

    def go_back(self, name: str, deploy: int) -> None:
        self.world.changes(f"publish {name}")
        super().go_back(name, deploy)

    def commit(self, target: Manifest) -> None:
        self.world.changes()
        super().commit(target)

    def turn_back(self, target: Manifest) -> None:
        self.world.changes()
        super().turn_back(target)

    def unpublish(self) -> None:
        self.world.changes()
        super().unpublish()

    def discard(self, deploy: int) -> None:
        self.world.changes()
        super().discard(deploy)


class FakeDriver(Driver):
    """An instance that is only a name and a state."""

    def __init__(self, world: World, name: str, service: Service) -> None:
        self.world = world
        self.name = name
        self.service = service

    def problem(self) -> str:
        return "no answer yet"

    def launch(self, launch: Launch) -> None:
        self.world.changes()
        self.world.room()
        made = FakeInstance(self.name, self.service.name, self.service.kind)
        if launch.predecessors is not None:
            made.state, made.old = "held", list(launch.predecessors)
        self.world.instances[self.name] = made
        self.world.highest[made.service] = max(number_of(self.name), self.world.highest.get(made.service, 0))

    def attach(self, interrupt: Callable[[], None]) -> None:
        if instance := self._instance():
            instance.leased = True

    def await_healthy(self, interrupt: Callable[[], None], until: float = math.inf) -> Health:
        instance = self.world.instances[self.name]
        if instance.service in self.world.broken and not instance.way_back:
            raise InstanceFailed(f"{instance.service}: it is broken", [], None)
        interrupt()
        self.world.changes()
        instance.state = "serving"
        return Health(1 if instance.kind in ("tcp", "classic") else None, "")

    def state(self) -> InstanceState:
        if instance := self._instance():
            state = "starting" if instance.state == "held" else instance.state
            return InstanceState(self.name, instance.service, instance.kind == "classic", state, None)
        return InstanceState(self.name, service_of(self.name), False, "dead", None)

    def park(self, at_most: float, fallback: bool) -> str | None:
        self.world.changes()
        if instance := self._instance():
            instance.state, instance.way_back = "resting", instance.way_back or fallback
        return None

    def unpark(self) -> bool:
        self.world.changes()
        instance = self._instance()
        if instance and instance.state in ("held", "resting"):
            instance.state = "starting"
        return instance is not None

    def revive(self) -> bool:
        self.world.changes()
        instance = self._instance()
        if instance is None or instance.state != "warm":
            return False
        instance.state = "serving"
        return True

    def retire(self, warm: float, workers: Sequence[Process]) -> None:
        self.world.changes()
        self.world.waited_for[self.name] = list(workers)
        instance = self._instance()
        if instance and warm:
            instance.state = "warm"
        else:
            self.world.instances.pop(self.name, None)

    def await_gone(self, until: float) -> None:
        self.world.changes()
        self.world.instances.pop(self.name, None)

    def discard(self, workers: Sequence[Process] | None) -> None:
        self.world.changes(f"discard {self.name}")
        self.world.instances.pop(self.name, None)

    def _instance(self) -> FakeInstance | None:
        return self.world.instances.get(self.name)


class FakeDrivers(Drivers):
    """The instances of a world."""

    def __init__(self, world: World, config: Config) -> None:
        super().__init__(config, Paths(config), Commands(), Clock())
        self.world = world

    def new(self, name: str, service: Service) -> Driver:
        return FakeDriver(self.world, name, service)

    def of(self, name: str) -> Driver:
        gone = RunService(name=service_of(name), run="")
        return FakeDriver(self.world, name, self.config.services.get(service_of(name), gone))

    def names(self) -> list[str]:
        return list(self.world.instances)

    def states(self, chosen: Collection[str] | None = None) -> dict[str, InstanceState]:
        wanted = self.names() if chosen is None else chosen
        return {name: self.of(name).state() for name in wanted}

    def last_numbers(self) -> dict[str, int]:
        return dict(self.world.highest)

    def adopt(self, names: Sequence[str]) -> None: ...


class FakeProxy:
    """An nginx that is only its text."""

    is_needed = True
    read_timeout = None
    binary = Binary("nginx", Commands())

    def __init__(self, world: World, routes: bool = True) -> None:
        self.world = world
        self.routes = routes

    def require(self) -> None: ...

    def notices(self) -> Iterator[Finding]:
        return iter(())

    def certificates(self) -> list[CertificateState]:
        return []

    def certificate_findings(self, new: bool = False) -> Iterator[Finding]:
        return iter(())

    def whereabouts(self) -> Whereabouts:
        return Whereabouts(self.world.nginx)

    def worker_users(self) -> list[int]:
        return []

    def text(self, target: Manifest) -> str:
        upstreams = {
            service: [
                f"{service}/{number:02}" if one.has_slot else f"port of {one.name}"
                for number, one in enumerate(target.of(service))
            ]
            for service, instances in target.by_service().items()
            if instances[0].kind != "none"
        }
        return json.dumps(upstreams | {service: [static_slot(service)] for service in target.static})

    def runs(self, text: str) -> bool:
        return bool(self.world.text == json.loads(text))

    def apply(self, deploy: int, text: str) -> str:
        self.world.changes()
        self.world.text_before.setdefault(deploy, self.world.text)
        self.world.changes()
        if self.world.failing == "proxy" or not text.startswith("{"):
            raise DeployFailed("nginx refuses")
        if self.runs(text):
            return "unchanged"
        self.world.room()
        self.world.text = json.loads(text)
        return "reloaded"

    def mend(self, deploy: int, text: str) -> str:
        return self.apply(deploy, text)

    def restore(self, deploy: int) -> None:
        self.world.changes()
        if self.world.text_before.get(deploy, self.world.text) != self.world.text:
            self.world.room()
            self.world.text = self.world.text_before[deploy]

    def look_before(self, target: Manifest, before: Manifest | None) -> None: ...

    def rehearse(self, target: Manifest) -> None: ...

    def check(self, target: Manifest, before: Manifest | None) -> list[Unproved]:
        if self.world.failing == "check":
            raise DeployFailed("502")
        return []

    def visits(self, services: Sequence[str]) -> list[Visit]:
        return []

    def unasked(self) -> dict[str, str]:
        return {}

    def maintenance(self, serving: Manifest | None) -> MaintenanceCheck:
        return MaintenanceCheck([], [], None)

    def retiring_workers(self) -> list[Process]:
        return self.world.retiring

    def processes(self) -> list[Process]:
        return []

    def listen(self) -> list[str]:
        return []

    def open_ports(self) -> None: ...

    def quit(self) -> list[Process]:
        return []

    def rest(self, current: Manifest) -> None: ...

    def stop(self) -> None: ...

    def problem(self) -> str | None:
        return None

    def describe(self) -> dict[str, Any]:
        return {"pid": None, "version": None, "managed": True}

    def capacity(self) -> str:
        return "any number"

    def access(self) -> ProxySide:
        return ProxySide([], "")

    def first_unsearchable_folder(self) -> tuple[str, str] | None:
        return None

    def findings(self) -> Iterator[Finding]:
        return iter(())

    def text_findings(self) -> Iterator[Finding]:
        return iter(())


def load(folder: Path) -> Config:
    return read.load(folder / "deploy.toml")
