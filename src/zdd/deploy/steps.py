"""
The steps of a deploy up to its commit: each can be done, and undone.

Every `undo` bears being called twice, and without its `do` having been called or finished: that is what lets recovery
undo a deploy of which it knows only the manifest. A step that only looks, or makes what may be of use again, has
nothing to undo.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zdd import events
from zdd.deploy import bake, hooks, stop_first
from zdd.errors import NeedsPerson
from zdd.routing.manifest import Instance, Manifest

if TYPE_CHECKING:
    from zdd.project import Project


@dataclass(frozen=True)
class Step:
    """
    One step towards the table `target`; `name` is stable (JSON).

    A step that `leads` sends clients somewhere. While its undo fails, no step before it is undone: clients may still be
    sent to what that would stop.
    """

    target: Manifest
    name: ClassVar[str]
    leads: ClassVar[bool] = False

    @property
    def words(self) -> str:
        """Say what the step does, as a line of a plan."""
        return self.name

    def do(self, project: Project) -> None:
        """Do it. Raises ZddError with the cause when it cannot be done."""
        raise NotImplementedError

    def undo(self, project: Project) -> None:
        """Have it as it was before."""


class Begin(Step):
    """Write down what is meant, before anything is touched; undone, the deploy never was."""

    name = "begin"

    @property
    def words(self) -> str:
        """Say what the step does, as a line of a plan."""
        return f"{self.target.action} {self.target.deploy}"

    def do(self, project: Project) -> None:
        """Write the manifest."""
        project.tables.write(self.target)

    def undo(self, project: Project) -> None:
        """Remove the table. Raises NeedsPerson while `current` leads to it."""
        _require_unpublished(project, self.target)
        project.tables.discard(self.target.deploy)


class Build(Step):
    """Have the release there, complete; a project without [release] has its code where it is."""

    name = "build"

    @property
    def words(self) -> str:
        """Say what the step does, as a line of a plan."""
        return f"build release {self.target.release}" if self.target.release else "no release to build"

    def do(self, project: Project) -> None:
        """Build it, unless it is there."""
        project.build(self.target)

    def undo(self, project: Project) -> None:
        """Keep what was built, since it may be of use again; only its assets must not win any more."""
        before = project.tables.before(self.target)
        if before and before.release:
            project.use(before.release)


class BeforeStart(Step):
    """The user's commands before anything of the new version runs, such as migrations."""

    name = "before-start"
    words = "run before_start, where it is set"

    def do(self, project: Project) -> None:
        """Run them."""
        hooks.run(project, "before_start", self.target)


@dataclass(frozen=True)
class Start(Step):
    """Start one new instance."""

    instance: Instance
    name = "start"

    @property
    def words(self) -> str:
        """Say what the step does, as a line of a plan."""
        later = ", its app later" if self.instance.stop_first else ""
        return f"start {self.instance.name}{later}"

    def do(self, project: Project) -> None:
        """Start it, without waiting for it. Of a stop-first one, only what its requests will wait in."""
        before = project.tables.before(self.target)
        old = [one.name for one in self.target.displaced(before) if one.service == self.instance.service]
        project.instances.start(self.target, self.instance, project.folder_of(self.instance.release), old)

    def undo(self, project: Project) -> None:
        """
        Stop it and leave nothing of it; drain it before, when clients may have been sent to it.

        Raises NeedsPerson while `current` leads to it.
        """
        _require_unpublished(project, self.target)
        project.instances.discard(self.instance, project.proxy.retiring_workers() if self.target.exposed else None)


@dataclass(frozen=True)
class Revive(Step):
    """Have an instance that was kept warm serve again."""

    instance: str
    name = "revive"

    @property
    def words(self) -> str:
        """Say what the step does, as a line of a plan."""
        return f"{self.instance}, kept warm, serves again"

    def do(self, project: Project) -> None:
        """Ask its keeper, who alone knows whether it is not too late."""
        project.instances.revive(self.target.instances[self.instance])

    def undo(self, project: Project) -> None:
        """Keep it warm again."""
        project.instances.rewarm(self.target.instances[self.instance])


class Prepare(Step):
    """
    Lay out the new table while its instances start, so that the switch itself is one rename; and write down what they
    are started from, so that the commit only has to bring that to the disk.
    """

    name = "prepare"
    words = "prepare the switch"

    def do(self, project: Project) -> None:
        """Make the links; nobody is led by them yet. Write the snapshot."""
        project.tables.build(self.target.deploy, self.target.slots())
        project.snapshots.write(project.snapshot(self.target))

    def undo(self, project: Project) -> None:
        """Remove the snapshot: nothing goes back to what was refused. The links go with the table."""
        project.snapshots.remove(self.target.deploy)


@dataclass(frozen=True)
class Probe(Step):
    """Wait until these instances are healthy. `back` are the tables on the way back from here."""

    names: list[str]
    back: list[str]
    name = "probe"

    @property
    def words(self) -> str:
        """Say what the step does, as a line of a plan."""
        return f"wait until healthy: {', '.join(self.names)}" if self.names else "wait until requests can wait"

    def do(self, project: Project) -> None:
        """
        Wait, also for the sockets of stop-first ones, and write down the ports that they listen on.

        All that going back and committing need is laid down here, while a full disk still costs nothing.
        """
        for name, port in project.instances.await_healthy(self.names).items():
            known = self.target.instances[name]
            self.target.instances[name] = Instance(known.name, known.service, known.kind, known.release, port)
        project.tables.write(self.target)
        project.tables.make_ready(self.target, self.back)


def union_name(target: Manifest) -> str:
    """Return the name of the table in force while nginx learns of this one's slots."""
    return f"{target.deploy}+"


@dataclass(frozen=True)
class PublishUnion(Step):
    """Put a table in force that has the slots of before and of after, while nginx changes from one to the other."""

    before: Manifest
    slots: dict[str, str]
    name = "publish-union"
    leads = True
    words = "publish old and new slots together"

    def do(self, project: Project) -> None:
        """Build and publish it."""
        project.tables.publish(project.tables.build(self.target.deploy, self.slots, union_name(self.target)))

    def undo(self, project: Project) -> None:
        """Publish the table of before."""
        project.tables.go_back(str(self.before.deploy), self.target.deploy)


class Proxy(Step):
    """Have nginx know the upstreams: nothing where its text stays the same, else test, replace, reload, verify."""

    name = "proxy"
    leads = True
    words = "nginx: reload if its text changes, start if it does not run"

    def do(self, project: Project) -> None:
        """Bring nginx to the text of this table; from a reload on, clients may meet the new instances."""
        text = project.proxy.text(self.target)
        if not project.proxy.runs(text):
            self.target.exposed = True
            project.tables.write(self.target)
        project.events.send(events.Proxy(subject="nginx", text=project.proxy.apply(self.target.deploy, text)))

    def undo(self, project: Project) -> None:
        """Bring it back to the text of before."""
        project.proxy.restore(self.target.deploy)


@dataclass(frozen=True)
class Publish(Step):
    """The switch, from the table in force (`back`; None for the first one) to the target."""

    back: str | None
    name = "publish"
    leads = True

    @property
    def words(self) -> str:
        """Say what the step does, as a line of a plan."""
        where = ", ".join(f"{slot} to {instance}" for slot, instance in self.target.slots().items())
        return f"switch: {where}" if where else "switch"

    def do(self, project: Project) -> None:
        """Publish the table."""
        project.tables.publish(str(self.target.deploy))

    def undo(self, project: Project) -> None:
        """Publish the table that was in force; when there was none, none."""
        if project.tables.published() != str(self.target.deploy):
            return
        if self.back is None:
            project.tables.unpublish()
        else:
            project.tables.go_back(self.back, self.target.deploy)


@dataclass(frozen=True)
class Swap(Step):
    """Have the old version stop and the new one start, while requests wait; undone, the other way round."""

    old: list[Instance]
    new: list[Instance]
    name = "swap"

    @property
    def words(self) -> str:
        """Say what the step does, as a line of a plan."""
        old, new = (", ".join(one.name for one in some) for some in (self.old, self.new))
        return f"stop {old}, start {new}; requests wait meanwhile"

    def do(self, project: Project) -> None:
        """Stop, run before_start, start, wait until healthy."""
        stop_first.forward(project, self.target, self.old, self.new)

    def undo(self, project: Project) -> None:
        """Have the old version serve again."""
        stop_first.back(project, self.old, self.new)


@dataclass(frozen=True)
class Swapped(Step):
    """Of an interrupted deploy: wait until its stop-first instances have finished by themselves."""

    new: list[Instance]
    name = "swap"

    def do(self, project: Project) -> None:
        """Wait. Raises DeployFailed when they have gone back to the old version."""
        stop_first.await_alone(project, self.new)


class Check(Step):
    """One request through nginx for each service that is changed, as a client would send it."""

    name = "check"
    words = "one request for each changed service through nginx"

    def do(self, project: Project) -> None:
        """Send them."""
        before = project.tables.before(self.target)
        project.instances.check_ports(self.target.new(before))
        project.proxy.check(self.target, before)


class AfterSwitch(Step):
    """The user's command once the new version serves; when it fails, the old one serves again."""

    name = "after-switch"
    words = "run after_switch, where it is set"

    def do(self, project: Project) -> None:
        """Run it."""
        hooks.run(project, "after_switch", self.target)


class Bake(Step):
    """Watch the new version for a while; a fault switches back."""

    name = "bake"
    words = "watch the new version, where it has a bake"

    def do(self, project: Project) -> None:
        """Watch it."""
        bake.bake(project, self.target)


class Commit(Step):
    """From here on nothing is undone."""

    name = "commit"
    words = "commit: from here on nothing is undone"

    def do(self, project: Project) -> None:
        """Write it down durably."""
        project.snapshots.sync(self.target.deploy)
        project.tables.commit(self.target)


def _require_unpublished(project: Project, target: Manifest) -> None:
    """Raise NeedsPerson where clients are led to this table, whatever was meant: nothing of it may end."""
    if project.tables.published() in (str(target.deploy), union_name(target)):
        raise NeedsPerson(
            f"deploy {target.deploy} still gets requests, so nothing of it is stopped",
            hint="`zddeploy status` shows what serves; `zddeploy recover` tries again",
        )
