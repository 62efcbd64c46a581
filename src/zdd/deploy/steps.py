"""
The steps of a deploy up to its commit: each has a name, a line in the plan, a `do` and an `undo`.

Every `undo` is idempotent and works even if its `do` never ran or did not finish, so recovery can undo a deploy with
nothing but its manifest. A step that only looks, or makes something that later deploys can use, has nothing to undo.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from zdd import events
from zdd.deploy import bake as baking
from zdd.deploy import hooks, older_slots, stop_first
from zdd.errors import NeedsPerson
from zdd.routing.manifest import Instance, Manifest, static_slot

if TYPE_CHECKING:
    from zdd.deploy.retiring import Retiring
    from zdd.project import Project

Act = Callable[["Project"], None]


class Step(Struct, frozen=True):
    """
    One step; `name` is stable (JSON), `line` says what the step does.

    `do` raises ZddError with the cause if it fails. A step that `leads` sends clients somewhere: if its undo fails, no
    earlier step is undone, since clients may still reach the instances that such an undo would stop.
    """

    name: str
    line: str
    do: Act
    undo: Act = lambda project: None  # noqa: ARG005
    leads: bool = False


def begin(target: Manifest) -> Step:
    """Write the manifest before anything else. Its undo removes every trace of the deploy."""

    def undo(project: Project) -> None:
        _require_unpublished(project, target)
        project.instances.discarded.await_end()
        project.tables.discard(target.deploy)

    return Step("begin", f"{target.action} {target.deploy}", lambda project: project.tables.write(target), undo)


def build(target: Manifest) -> Step:
    """Build the release, unless it exists. Its undo keeps the release, but the old release's assets win again."""

    def undo(project: Project) -> None:
        before = project.tables.before(target)
        if before and before.release:
            project.use(before.release)

    return Step("build", f"build release {target.release}", lambda project: project.build(target), undo)


def before_start(target: Manifest, commands: str) -> Step:
    """Run the user's commands, such as migrations, before any new instance starts."""
    return Step("before-start", f"before_start: {commands}", lambda project: hooks.run(project, "before_start", target))


def start(target: Manifest, instance: Instance, old: Sequence[str], retiring: Retiring) -> Step:
    """
    Start a new instance, without waiting for it.

    A stop-first one only opens the socket where its requests wait; `old` are those that must be parked before.
    """

    def undo(project: Project) -> None:
        """Tell the instance to stop, or to drain first if clients may have reached it; `begin` waits for its end."""
        _require_unpublished(project, target)
        project.instances.discard(instance.name, retiring.workers(project))

    later = ", its app later" if instance.stop_first else ""
    return Step(
        "start",
        f"start {instance.name}{later}",
        lambda project: project.instances.start(target, instance, project.folder_of(instance.release), old),
        undo,
    )


def revive(target: Manifest, name: str) -> Step:
    """Let a warm instance serve again. Only its keeper knows whether it still can."""
    return Step(
        "revive",
        f"{name}, kept warm, serves again",
        lambda project: project.instances.revive(target.instances[name]),
        lambda project: project.instances.rewarm(target.instances[name]),
    )


def prepare(target: Manifest, back: Sequence[str], union: dict[str, str] | None = None) -> Step:
    """
    Write the new table, the snapshot, and all that commit and undo need while the instances start.

    Then the switch is one rename, and a full disk or a text that nginx refuses is still harmless. An undo publishes the
    tables `back`; the one before gets the union's names, too, for a worker that nginx's reload back leaves behind.
    """

    def do(project: Project) -> None:
        from zdd.nginx import gate  # noqa: F401  (here, because now the app boots; `check` must not wait for it)
        from zdd.operate import in_place  # noqa: F401  (nor the history)

        before = project.tables.before(target)
        older = older_slots.kept(project, target, before)
        project.tables.build(target.deploy, older_slots.after(target, older) | target.slots())
        if before and union:
            added = {slot: name for slot, name in union.items() if slot not in before.slots()}
            project.tables.build(before.deploy, added)
        project.snapshots.write(project.snapshot(target))
        project.tables.make_ready(target, back)
        project.proxy.rehearse(target)

    return Step("prepare", "prepare the switch", do, lambda project: project.snapshots.remove(target.deploy))


def probe(target: Manifest, names: Sequence[str], back: Sequence[str]) -> Step:
    """Wait until these are healthy, and sockets of stop-first ones open; record new ports, also in what is ready."""

    def do(project: Project) -> None:
        prepared = dict(target.instances)
        for name, port in project.instances.await_healthy(names).items():
            known = target.instances[name]
            target.instances[name] = Instance(known.name, known.service, known.kind, known.release, port)
        if target.instances != prepared:
            project.tables.write(target)
            project.tables.make_ready(target, back)

    waits = "wait until requests can wait" if target.instances else "make the way back ready"
    return Step("probe", f"wait until healthy: {', '.join(names)}" if names else waits, do)


def union_name(target: Manifest) -> str:
    """Return the name of the table that is in force while nginx changes to the slots of the target."""
    return f"{target.deploy}+"


def publish_union(target: Manifest, before: Manifest, slots: dict[str, str]) -> Step:
    """Publish a table with both the old and the new slots, for the time in which nginx changes its set of slots."""

    def do(project: Project) -> None:
        older = older_slots.kept(project, target, before)
        project.tables.publish(project.tables.build(target.deploy, older | slots, union_name(target)))

    def undo(project: Project) -> None:
        project.tables.go_back(str(before.deploy), target.deploy)

    return Step("publish-union", "publish old and new slots together", do, undo, leads=True)


def proxy(target: Manifest) -> Step:
    """Make nginx run the text of this table: test, replace, reload, verify. Do nothing if the text stays the same."""

    def do(project: Project) -> None:
        text = project.proxy.text(target)
        project.proxy.look_before(target, project.tables.before(target))
        if not project.proxy.runs(text):
            target.exposed = True  # from a reload on, clients may meet the new instances
            project.tables.write(target)
        project.events.send(events.Proxy(subject="nginx", text=project.proxy.apply(target.deploy, text)))

    line = "nginx: reload if its text changes, start if it does not run"
    return Step("proxy", line, do, lambda project: project.proxy.restore(target.deploy), leads=True)


def publish(target: Manifest, back: str | None) -> Step:
    """Switch from the table in force (`back`; None for a first deploy) to the target."""

    def undo(project: Project) -> None:
        if project.tables.published() != str(target.deploy):
            return
        if back is None:
            project.tables.unpublish()
        else:
            project.tables.go_back(back, target.deploy)

    folders = {static_slot(name): f"{at.folder} of release {at.release}" for name, at in target.static.items()}
    where = ", ".join(f"{slot} to {leads}" for slot, leads in (target.slots() | folders).items())
    line = f"switch: {where}" if where else "switch"
    return Step("publish", line, lambda project: project.tables.publish(str(target.deploy)), undo, leads=True)


def swap(target: Manifest, old: Sequence[Instance], new: Sequence[Instance]) -> Step:
    """Stop the old version and start the new one, while requests wait. Its undo does the reverse."""
    old_names, new_names = (", ".join(instance.name for instance in instances) for instances in (old, new))
    return Step(
        "swap",
        f"stop {old_names}, start {new_names}; requests wait meanwhile",
        lambda project: stop_first.forward(project, target, old, new),
        lambda project: stop_first.back(project, old, new),
    )


def swapped(new: Sequence[Instance]) -> Step:
    """Wait until the keepers have finished an interrupted deploy's stop-first swap."""
    return Step("swap", "wait for the interrupted swap", lambda project: stop_first.await_unattended(project, new))


def check(target: Manifest, restarts: bool = False) -> Step:
    """Send a request through nginx to each changed service; with `restarts`, its apps may have been started again."""

    def do(project: Project) -> None:
        before = project.tables.before(target)
        new = target.new(before)
        project.instances.check_ports(new)
        with contextlib.nullcontext() if restarts else project.instances.watched(new):
            for unproved in project.proxy.check(target, before):
                project.events.send(unproved)

    return Step("check", "one request for each changed service through nginx", do)


def after_switch(target: Manifest, command: str) -> Step:
    """Run the user's command once the new version serves. If it fails, the deploy is undone."""
    line = f"after_switch: `{command}`"
    return Step("after-switch", line, lambda project: hooks.run(project, "after_switch", target))


def bake(target: Manifest, seconds: float) -> Step:
    """Watch the new version for a while; a fault undoes the deploy."""
    return Step("bake", f"watch the new version for {seconds:g} s", lambda project: baking.bake(project, target))


def commit(target: Manifest) -> Step:
    """Record durably that the target serves. After this nothing is undone."""

    def do(project: Project) -> None:
        project.snapshots.sync(target.deploy)
        project.tables.commit(target)

    return Step("commit", "commit: from here on nothing is undone", do)


def _require_unpublished(project: Project, target: Manifest) -> None:
    """Raise NeedsPerson if clients are still sent to this table: then none of its instances may be stopped."""
    if project.tables.published() in (str(target.deploy), union_name(target)):
        raise NeedsPerson(
            f"deploy {target.deploy} still gets requests, so none of its instances is stopped",
            hint="`zddeploy status` shows what serves; `zddeploy recover` tries again",
        )
