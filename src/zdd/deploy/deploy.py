"""The story of a deploy: recover, plan, carry out, commit, write down, and let the old instances go."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from zdd import history, secret
from zdd.conf.schema import RunService
from zdd.deploy import hooks, pipeline, plan
from zdd.deploy.cleanup import settle
from zdd.deploy.plan import Observed, Request
from zdd.deploy.recovery import find_way, recover, turn_back
from zdd.deploy.watch import Leaving
from zdd.errors import ZddError, last_words, some, told
from zdd.history import Entry
from zdd.instances import environment
from zdd.instances.user import USER_NEEDS
from zdd.lock import who
from zdd.operate import in_place
from zdd.project import Site
from zdd.routing.manifest import Instance, Manifest

_SHOWN = 5  # names in a notice


class Deployed(NamedTuple):
    """What serves now, and the old instances that are being let go."""

    target: Manifest
    replaced: list[Leaving]


def deploy(site: Site, request: Request, warm: bool = True) -> Deployed:
    """
    Carry the request out; the caller holds the lock.

    Raises ZddError when that failed: then what served before serves.
    """
    finish_interrupted(site)
    site.fleet.adopt(request.services or tuple(site.config.services))
    target = plan.manifest(site.config, observe(site), request, time.time())
    before = site.tables.before(target)
    where: dict[str, object] = {"text": request.words} if request.words else {}
    site.report.event("begin", deploy=target.deploy, action=request.action, project=site.config.project, **where)
    _tell_of_root(site, target.new(before))
    _tell_of_old_layout(site, list(target.instances))
    try:
        pipeline.run(plan.before_commit(target, before), site, lambda: turn_back(site, target))
    except ZddError as error:
        outcome = "failed" if error.exit_code == 5 else "undone"
        _write_down(site, target, outcome, error.message, last_words(error))
        _hook_quietly(site, "on_failure", target, outcome, error.message)
        raise
    _write_down(site, target, "done", None)
    replaced = _settle_quietly(site, warm)
    _hook_quietly(site, "after_deploy", target, "done", "")
    return Deployed(target, replaced)


def finish_interrupted(site: Site) -> Manifest | None:
    """Recover what was interrupted or lost, and let go what it left; returns its manifest, None where all was well."""
    recovered = recover(site)
    if recovered:
        outcome = "done" if recovered.committed else "undone"
        words = "finished" if recovered.committed else "undone"
        site.report.event("notice", text=f"deploy {recovered.deploy} was interrupted; it is {words} now")
        _write_down(site, recovered, outcome, None if recovered.committed else "interrupted")
    found = find_way(site)
    if site.releases:
        site.releases.discard_half_built()
    settle(site)
    return recovered or found


def observe(site: Site) -> Observed:
    """Look at what is there, as far as a plan depends on it."""
    last = max([0, *site.tables.numbers(), *site.places.logged_deploys()])
    return Observed(site.tables.current(), last, site.fleet.last_numbers())


def _tell_of_root(site: Site, instances: list[Instance]) -> None:
    """Say which services of these instances will run as root, because nobody has said otherwise."""
    services = [site.config.services[name] for name in dict.fromkeys(one.service for one in instances)]
    names = [one.name for one in services if isinstance(one, RunService) and one.user is None]
    if names and os.geteuid() == 0:
        site.report.event("notice", text=f"{some(names, _SHOWN)}: running as root; {USER_NEEDS}")


def _tell_of_old_layout(site: Site, names: list[str]) -> None:
    """Say which instances stay that a zdd 0.1 has started."""
    if old := [name for name in names if site.places.is_of_0_1(name)]:
        words = f"{some(old, _SHOWN)}: started by zdd 0.1, whose layout of sockets is supported until 0.3"
        site.report.event("notice", text=f"{words}; `zddeploy restart` replaces them")


def _write_down(
    site: Site, target: Manifest, outcome: str, cause: str | None, output: Sequence[str] | None = None
) -> None:
    """Add it to the history. A failure is only told: what is done stays done, and what failed has its own cause."""
    entry = Entry(
        deploy=target.deploy,
        action=target.action,
        outcome=outcome,
        started=target.started,
        seconds=round(time.time() - target.started, 3),
        who=who(),
        services=target.services(),
        steps=site.report.steps,
        release=target.release,
        label=target.label,
        cause=cause,
        output=[secret.hide(line) for line in output] if output else None,
        replaced=target.before,
        origin=target.origin,
    )
    in_place.remember(site, target.deploy)
    try:
        history.append(site.places.history, entry)
        if target.action == "deploy" and outcome == "done":
            environment.remember(site.places.environment)
    except Exception as error:
        site.report.event("notice", text=f"cannot write {site.places.history}: {told(error).message}")


def _settle_quietly(site: Site, warm: bool) -> list[Leaving]:
    """Clean up after the commit: the new version serves, whatever cannot be done, and the next command tries again."""
    try:
        return settle(site, warm)
    except (ZddError, OSError) as error:
        site.report.event("notice", text=f"the clean-up failed: {told(error).message}; `zddeploy recover` tries again")
        return []


def _hook_quietly(site: Site, name: str, target: Manifest, outcome: str, cause: str) -> None:
    """Run a hook that comes too late to change anything: report its failure, and go on."""
    try:
        with site.interrupts.held():
            hooks.run(site, name, target, outcome, cause)
    except Exception as error:
        site.report.event("notice", text=told(error).message)
