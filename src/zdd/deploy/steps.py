"""
The steps of a deploy up to its commit: each has a name, a line in the plan, what it does, and how that is undone.

Every `undo` is idempotent and works even if its `do` never ran or did not finish: so recovery can undo a deploy of
which it knows only the manifest. A step that only looks, or makes what may be used again, has nothing to undo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from zdd import events
from zdd.deploy import bake as baking
from zdd.deploy import hooks, stop_first
from zdd.errors import NeedsPerson
from zdd.routing.manifest import Instance, Manifest

if TYPE_CHECKING:
    from zdd.project import Project

Act = Callable[["Project"], None]


class Step(NamedTuple):
    """
    One step; `name` is stable (JSON), `line` says what the step does.

    `do` raises ZddError with the cause if it fails. A step that `leads` sends clients somewhere: while its undo fails,
    no step before it is undone, since clients may still be sent to what that would stop.
    """

    name: str
    line: str
    do: Act
    undo: Act = lambda project: None  # noqa: ARG005
    leads: bool = False


def begin(target: Manifest) -> Step:
    """Write the manifest before anything is touched. Undone, the deploy never was."""

    def undo(project: Project) -> None:
        _require_unpublished(project, target)
        project.tables.discard(target.deploy)

    return Step("begin", f"{target.action} {target.deploy}", lambda project: project.tables.write(target), undo)


def build(target: Manifest) -> Step:
    """Build the release, unless it exists. Undone, the release stays, but its assets no longer win."""

    def undo(project: Project) -> None:
        before = project.tables.before(target)
        if before and before.release:
            project.use(before.release)

    return Step("build", f"build release {target.release}", lambda project: project.build(target), undo)


def before_start(target: Manifest, commands: str) -> Step:
    """Run the user's commands before anything of the new version runs, such as migrations."""
    return Step("before-start", f"before_start: {commands}", lambda project: hooks.run(project, "before_start", target))


def start(target: Manifest, instance: Instance) -> Step:
    """Start a new instance, without waiting for it. Of a stop-first one, start only what its requests will wait in."""

    def do(project: Project) -> None:
        before = project.tables.before(target)
        old = [other.name for other in target.displaced(before) if other.service == instance.service]
        project.instances.start(target, instance, project.folder_of(instance.release), old)

    def undo(project: Project) -> None:
        """Stop it and leave nothing of it; drain it before, if clients may have been sent to it."""
        _require_unpublished(project, target)
        project.instances.discard(instance, project.proxy.retiring_workers() if target.exposed else None)

    later = ", its app later" if instance.stop_first else ""
    return Step("start", f"start {instance.name}{later}", do, undo)


def revive(target: Manifest, name: str) -> Step:
    """Let an instance that was kept warm serve again. Its keeper alone knows whether it is not too late."""
    return Step(
        "revive",
        f"{name}, kept warm, serves again",
        lambda project: project.instances.revive(target.instances[name]),
        lambda project: project.instances.rewarm(target.instances[name]),
    )


def prepare(target: Manifest) -> Step:
    """
    Lay out the new table while its instances start, so that the switch is one rename, and write the snapshot.

    Undone, the snapshot is removed: nothing goes back to what was refused. The links go with the table.
    """

    def do(project: Project) -> None:
        project.tables.build(target.deploy, target.slots())
        project.snapshots.write(project.snapshot(target))

    return Step("prepare", "prepare the switch", do, lambda project: project.snapshots.remove(target.deploy))


def probe(target: Manifest, names: Sequence[str], back: Sequence[str]) -> Step:
    """
    Wait until these instances are healthy, and for the sockets of stop-first ones; write down their ports.

    Going back leads through the tables `back`. All that going back and committing need is written here, while a full
    disk still costs nothing.
    """

    def do(project: Project) -> None:
        for name, port in project.instances.await_healthy(names).items():
            known = target.instances[name]
            target.instances[name] = Instance(known.name, known.service, known.kind, known.release, port)
        project.tables.write(target)
        project.tables.make_ready(target, back)

    return Step("probe", f"wait until healthy: {', '.join(names)}" if names else "wait until requests can wait", do)


def union_name(target: Manifest) -> str:
    """Return the name of the table in force while nginx changes to the slots of this one."""
    return f"{target.deploy}+"


def publish_union(target: Manifest, before: Manifest, slots: dict[str, str]) -> Step:
    """Publish a table with the old and the new slots, while nginx changes from the ones to the others."""

    def do(project: Project) -> None:
        project.tables.publish(project.tables.build(target.deploy, slots, union_name(target)))

    def undo(project: Project) -> None:
        project.tables.go_back(str(before.deploy), target.deploy)

    return Step("publish-union", "publish old and new slots together", do, undo, leads=True)


def proxy(target: Manifest) -> Step:
    """Bring nginx to the text of this table: test, replace, reload, verify; nothing if its text stays the same."""

    def do(project: Project) -> None:
        text = project.proxy.text(target)
        if not project.proxy.runs(text):
            target.exposed = True  # from a reload on, clients may meet the new instances
            project.tables.write(target)
        project.events.send(events.Proxy(subject="nginx", text=project.proxy.apply(target.deploy, text)))

    line = "nginx: reload if its text changes, start if it does not run"
    return Step("proxy", line, do, lambda project: project.proxy.restore(target.deploy), leads=True)


def publish(target: Manifest, back: str | None) -> Step:
    """Switch from the table in force (`back`; None for the first deploy) to the target."""

    def undo(project: Project) -> None:
        if project.tables.published() != str(target.deploy):
            return
        if back is None:
            project.tables.unpublish()
        else:
            project.tables.go_back(back, target.deploy)

    where = ", ".join(f"{slot} to {instance}" for slot, instance in target.slots().items())
    line = f"switch: {where}" if where else "switch"
    return Step("publish", line, lambda project: project.tables.publish(str(target.deploy)), undo, leads=True)


def swap(target: Manifest, old: Sequence[Instance], new: Sequence[Instance]) -> Step:
    """Stop the old version and start the new one, while requests wait. Undone, the other way round."""
    old_names, new_names = (", ".join(instance.name for instance in instances) for instances in (old, new))
    return Step(
        "swap",
        f"stop {old_names}, start {new_names}; requests wait meanwhile",
        lambda project: stop_first.forward(project, target, old, new),
        lambda project: stop_first.back(project, old, new),
    )


def swapped(new: Sequence[Instance]) -> Step:
    """Of an interrupted deploy: wait until its stop-first instances have finished by themselves."""
    return Step("swap", "wait for the interrupted change-over", lambda project: stop_first.await_alone(project, new))


def check(target: Manifest) -> Step:
    """Send one request through nginx to each service that is changed, as a client would."""

    def do(project: Project) -> None:
        before = project.tables.before(target)
        project.instances.check_ports(target.new(before))
        project.proxy.check(target, before)

    return Step("check", "one request for each changed service through nginx", do)


def after_switch(target: Manifest, command: str) -> Step:
    """Run the user's command once the new version serves. If it fails, the old version serves again."""
    line = f"after_switch: `{command}`"
    return Step("after-switch", line, lambda project: hooks.run(project, "after_switch", target))


def bake(target: Manifest, seconds: float) -> Step:
    """Watch the new version for a while; a fault switches back."""
    return Step("bake", f"watch the new version for {seconds:g} s", lambda project: baking.bake(project, target))


def commit(target: Manifest) -> Step:
    """Write durably that the target serves. From here on nothing is undone."""

    def do(project: Project) -> None:
        project.snapshots.sync(target.deploy)
        project.tables.commit(target)

    return Step("commit", "commit: from here on nothing is undone", do)


def _require_unpublished(project: Project, target: Manifest) -> None:
    """Raise NeedsPerson if clients are led to this table, whatever was meant: nothing of it may end."""
    if project.tables.published() in (str(target.deploy), union_name(target)):
        raise NeedsPerson(
            f"deploy {target.deploy} still gets requests, so nothing of it is stopped",
            hint="`zddeploy status` shows what serves; `zddeploy recover` tries again",
        )
