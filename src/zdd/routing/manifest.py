"""What a table is: its deploy, its instances, the table before it, and which way an interrupted deploy must go."""

from __future__ import annotations

from typing import Literal

import msgspec

Stage = Literal["trying", "prepared", "canary", "committed"]
Kind = Literal["fd", "unix", "tcp", "none", "classic"]


class Instance(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    One running copy of a service, as the table names it.

    Only tcp and classic instances have a `port`. With `stop_first` its app starts after the switch, when the old app
    has stopped.
    """

    name: str
    service: str
    kind: Kind
    release: str | None = None
    port: int | None = None
    stop_first: bool = False

    @property
    def has_slot(self) -> bool:
        """Whether nginx reaches it through a slot of the table."""
        return self.kind in ("fd", "unix")


class StaticFolder(msgspec.Struct, frozen=True):
    """What a static service serves: a folder inside a release. It has no instance."""

    release: str
    folder: str


class Manifest(msgspec.Struct, omit_defaults=True):
    """
    The table's own description, written to `tables/N/manifest.json`.

    `stage` is how far the deploy has come: "trying" from before the first start on; "prepared" once all is proved and
    nothing switched; "canary" while some slots lead to it, until a person decides; "committed" from where on nothing is
    undone. `direction` is what recovery obeys: forward
    until the first undo step, then back. `before` is the deploy whose table this one replaced, None for the first.
    `committed` is true exactly in the stage of that name: until 0.3 it is written for zdd 0.1.0, which knows no stages,
    and a manifest of 0.1.0 has the stage that follows from it. `exposed` says that
    clients may be sent to these instances also while the table is not in force: a reload made nginx know them, or
    led to them before. So their keepers do not end by themselves.
    `static` are the folders of the static services, which zdd 0.1.0 does not know and leaves alone.
    `revived` are instances that were kept warm and serve again; `origin` is the deploy whose version a rollback, a
    restart or an up starts again; `commit` is what the release is built of, where that is a git repository.
    """

    deploy: int
    action: str
    instances: dict[str, Instance]
    before: int | None = None
    release: str | None = None
    commit: str | None = None
    label: str | None = None
    started: float = 0.0
    stage: Stage | None = None
    direction: Literal["forward", "back"] = "forward"
    committed: bool = False
    exposed: bool = False
    revived: list[str] = []
    origin: int | None = None
    static: dict[str, StaticFolder] = {}

    def __post_init__(self) -> None:
        """Work out the stage of a manifest that has none, as those of zdd 0.1.0."""
        self.stage = self.stage or ("committed" if self.committed else "trying")

    @property
    def is_unfinished(self) -> bool:
        """Whether the next changing command undoes it if its zddeploy is dead, or finishes it if it has switched."""
        return self.stage == "trying"

    @property
    def is_version(self) -> bool:
        """Whether a reboot, an up or a rollback can start it, and the tables before it were replaced."""
        return self.stage == "committed"

    def new(self, before: Manifest | None) -> list[Instance]:
        """Return the instances that this deploy starts: neither taken over from `before` nor revived."""
        known = before.instances if before else {}
        return [new for name, new in self.instances.items() if name not in known and name not in self.revived]

    def swapped(self, before: Manifest | None) -> list[Instance]:
        """Return the new instances whose apps start only when the old ones' have stopped."""
        return [new for new in self.new(before) if new.stop_first]

    def displaced(self, before: Manifest | None) -> list[Instance]:
        """Return the old instances whose apps must have stopped before those of `swapped` start."""
        services = {new.service for new in self.swapped(before)}
        known = before.instances.values() if before else ()
        return [old for old in known if old.service in services and old.name not in self.instances]

    def changed(self, before: Manifest | None) -> list[str]:
        """Return the services that have other instances, or another folder, than they had."""
        old = {**before.by_service(), **before.static} if before else {}
        return [name for name, now in {**self.by_service(), **self.static}.items() if now != old.get(name)]

    def by_service(self) -> dict[str, list[Instance]]:
        """Return each service's instances in the order of their slots."""
        services: dict[str, list[Instance]] = {}
        for instance in self.instances.values():
            services.setdefault(instance.service, []).append(instance)
        return services

    def of(self, service: str) -> list[Instance]:
        """Return the service's instances in the order of their slots."""
        return [instance for instance in self.instances.values() if instance.service == service]

    def services(self) -> list[str]:
        """Return the services in it, each once."""
        return [*self.by_service(), *self.static]

    def releases(self) -> dict[str, str | None]:
        """Return the release of each service."""
        of_instances = {name: instances[0].release for name, instances in self.by_service().items()}
        return of_instances | {name: folder.release for name, folder in self.static.items()}

    @property
    def is_reached(self) -> bool:
        """Whether visitors send requests to anything in it: workers alone need no nginx."""
        return bool(self.static) or any(instance.kind != "none" for instance in self.instances.values())

    def slots(self) -> dict[str, str]:
        """
        Return what each slot leads to, an instance or a folder below S.

        The name of a static service's slot is not a number: a service that becomes static, or is no longer, has both
        slots while nginx changes its text.

        >>> Manifest(1, "deploy", {}, static={"site": StaticFolder("20261129-134340", "dist")}).slots()
        {'site/static': 'releases/20261129-134340/dist'}
        """
        of_instances = {
            f"{service}/{number:02}": instance.name
            for service, instances in self.by_service().items()
            for number, instance in enumerate(instances)
            if instance.has_slot
        }
        folders = {static_slot(name): f"releases/{at.release}/{at.folder}" for name, at in self.static.items()}
        return of_instances | folders


def static_slot(service: str) -> str:
    """Return the slot of a static service: a link to a folder, where those of others lead to sockets."""
    return f"{service}/static"


def is_static(slot: str) -> bool:
    """Return whether a slot leads to a folder."""
    return slot.endswith("/static")


def committed(target: Manifest) -> Manifest:
    """Return the manifest as it is from the commit on."""
    return msgspec.structs.replace(target, stage="committed", committed=True, exposed=True)


def turned_back(target: Manifest) -> Manifest:
    """Return the manifest as it is once a deploy that clients were led to goes back."""
    return msgspec.structs.replace(target, direction="back", exposed=True)
