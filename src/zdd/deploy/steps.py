"""
The steps of a deploy up to its commit: each can be done, and undone.

Every `undo` bears being called twice, and without its `do` having been called or finished: that is what lets recovery
undo a deploy of which it knows only the manifest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from zdd.deploy import through
from zdd.switch.manifest import Instance, Manifest

if TYPE_CHECKING:
    from zdd.deploy.site import Site


class Step(Protocol):
    """One step; `name` is stable (JSON), `words` are for people."""

    name: str

    @property
    def words(self) -> str:
        """Say what the step does, as part of a plan."""

    def do(self, site: Site) -> None:
        """Do it; raises ZddError with the cause when it cannot be done."""

    def undo(self, site: Site) -> None:
        """Have it as it was before."""


class Begin:
    """Write down what is meant, before anything is touched."""

    name = "begin"

    def __init__(self, target: Manifest) -> None:
        self.target = target

    @property
    def words(self) -> str:
        """Say what the step does, as part of a plan."""
        return f"begin deploy {self.target.deploy}"

    def do(self, site: Site) -> None:
        """Write the manifest."""
        site.tables.write(self.target)

    def undo(self, site: Site) -> None:
        """Remove the table: from now on the deploy never was."""
        site.tables.discard(self.target.deploy)


class Start:
    """Start one new instance."""

    name = "start"

    def __init__(self, target: Manifest, instance: Instance) -> None:
        self.target = target
        self.instance = instance

    @property
    def words(self) -> str:
        """Say what the step does, as part of a plan."""
        return f"start {self.instance.name}"

    def do(self, site: Site) -> None:
        """Start it, without waiting for it."""
        site.fleet.start(self.target, self.instance)

    def undo(self, site: Site) -> None:
        """Stop it and leave nothing of it."""
        site.fleet.discard(self.instance, site.front.retiring_workers() if self.target.exposed else None)


class Probe:
    """Wait until all new instances are healthy."""

    name = "probe"

    def __init__(self, target: Manifest, names: list[str]) -> None:
        self.target = target
        self.names = names

    @property
    def words(self) -> str:
        """Say what the step does, as part of a plan."""
        return f"wait until healthy: {', '.join(self.names)}"

    def do(self, site: Site) -> None:
        """Wait, and write down the ports that the instances listen on."""
        for name, port in site.fleet.await_healthy(self.names).items():
            known = self.target.instances[name]
            self.target.instances[name] = Instance(known.name, known.service, known.kind, known.release, port)
        site.tables.write(self.target)

    def undo(self, site: Site) -> None:
        """Nothing to undo: waiting changes nothing."""


class PublishUnion:
    """Put a table in force that has the slots of before and of after, while nginx changes from one to the other."""

    name = "publish-union"

    def __init__(self, target: Manifest, before: Manifest, slots: dict[str, str]) -> None:
        self.target = target
        self.before = before
        self.slots = slots

    @property
    def words(self) -> str:
        """Say what the step does, as part of a plan."""
        return "publish old and new slots together"

    def do(self, site: Site) -> None:
        """Build and publish it."""
        site.tables.publish(site.tables.build(self.target.deploy, self.slots, f"{self.target.deploy}+"))

    def undo(self, site: Site) -> None:
        """Publish the table of before."""
        site.tables.publish(str(self.before.deploy))


class Proxy:
    """Have nginx know the upstreams: nothing where its text stays the same, else test, replace, reload, verify."""

    name = "proxy"

    def __init__(self, target: Manifest) -> None:
        self.target = target

    @property
    def words(self) -> str:
        """Say what the step does, as part of a plan."""
        return "nginx: reload if its text changes, start it if it does not run"

    def do(self, site: Site) -> None:
        """Bring nginx to the text of this table; from a reload on, clients may meet the new instances."""
        text = site.front.text(self.target)
        if not site.front.runs(text):
            self.target.exposed = True
            site.tables.write(self.target)
        site.front.apply(self.target.deploy, text)

    def undo(self, site: Site) -> None:
        """Bring it back to the text of before."""
        site.front.restore(self.target.deploy)


class Publish:
    """The switch."""

    name = "publish"

    def __init__(self, target: Manifest, before: Manifest | None) -> None:
        self.target = target
        self.before = before

    @property
    def words(self) -> str:
        """Say what the step does, as part of a plan."""
        slots = self.target.slots()
        where = ", ".join(f"{slot} to {instance}" for slot, instance in slots.items())
        return f"switch: {where}" if slots else "switch"

    def do(self, site: Site) -> None:
        """Build the table and publish it."""
        name = site.tables.build(self.target.deploy, self.target.slots())
        self.target.exposed = True
        site.tables.write(self.target)
        site.tables.publish(name)

    def undo(self, site: Site) -> None:
        """Publish the table of before; when there was none, none."""
        if site.tables.published() != str(self.target.deploy):
            return
        if self.before is None:
            site.tables.unpublish()
        else:
            site.tables.publish(str(self.before.deploy))


class Check:
    """One request for each service through nginx, as a client would send it."""

    name = "check"

    def __init__(self, target: Manifest) -> None:
        self.target = target

    @property
    def words(self) -> str:
        """Say what the step does, as part of a plan."""
        return "one request for each service through nginx"

    def do(self, site: Site) -> None:
        """Send them."""
        through.check(site.front, self.target, site.clock)

    def undo(self, site: Site) -> None:
        """Nothing to undo: looking changes nothing."""


class Commit:
    """From here on nothing is undone."""

    name = "commit"

    def __init__(self, target: Manifest) -> None:
        self.target = target

    @property
    def words(self) -> str:
        """Say what the step does, as part of a plan."""
        return "commit"

    def do(self, site: Site) -> None:
        """Write it down durably."""
        self.target.committed = True
        site.tables.write(self.target, sync=True)

    def undo(self, site: Site) -> None:  # noqa: ARG002  (a step's way)
        """A commit that was not written is none."""
        self.target.committed = False
