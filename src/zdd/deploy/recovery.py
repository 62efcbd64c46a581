"""What becomes of a deploy that was interrupted: finished or undone, from what its manifest and the switch say."""

from __future__ import annotations

from zdd.deploy import pipeline, plan
from zdd.deploy.site import Site
from zdd.errors import DeployFailed
from zdd.switch.manifest import Manifest


def pending(site: Site) -> Manifest | None:
    """Return the manifest of the deploy that was neither committed nor undone, None when there is none."""
    for number in reversed(site.tables.numbers()):
        manifest = site.tables.read(number)
        if manifest and not manifest.committed:
            return manifest
    return None


def recover(site: Site) -> Manifest | None:
    """
    Finish or undo an interrupted deploy; returns it, None when there was none. Bears being interrupted itself.

    Forward and switched: its instances passed every gate but the last ones, so those are passed now, and it is
    committed. Everything else goes back.
    """
    target = pending(site)
    if target is None:
        return None
    before = site.tables.before(target)
    site = site.as_of(site.snapshots.read(target.deploy))  # as it was begun, whatever the configuration says today
    steps = plan.before_commit(target, before)
    if target.direction == "forward" and site.tables.published() == str(target.deploy):
        try:
            pipeline.run(plan.after_switch(target, before), site, lambda: turn_back(site, target))
            return target
        except DeployFailed as error:
            site.report.event("notice", text=f"deploy {target.deploy} was interrupted and cannot be finished: {error}")
    turn_back(site, target)
    pipeline.undo(steps, site, DeployFailed(f"deploy {target.deploy} was interrupted"))
    return target


def turn_back(site: Site, target: Manifest) -> None:
    """Write down, before the first undo step, that this deploy goes back from now on, and whether it had switched."""
    target.exposed = target.exposed or site.tables.published() == str(target.deploy)
    target.direction = "back"
    site.tables.write(target)
