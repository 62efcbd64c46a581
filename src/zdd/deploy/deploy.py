"""The story of a deploy: recover, plan, carry out, commit, write down, and let the old instances go."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import UNSET

from zdd import history, secret
from zdd.conf.schema import RunService
from zdd.deploy import hooks, pipeline, plan
from zdd.deploy.cleanup import settle
from zdd.deploy.plan import Observed, Request
from zdd.deploy.recovery import find_way, recover, turn_back
from zdd.deploy.watch import Leaving
from zdd.errors import ZddError, as_zdd_error, last_words, shorten
from zdd.events import Begin
from zdd.history import Entry
from zdd.instances import environment
from zdd.instances.user import USER_NEEDS
from zdd.lock import who
from zdd.operate import in_place
from zdd.project import Project
from zdd.routing.manifest import Instance, Manifest

_SHOWN = 5  # names in a notice


class Deployed(NamedTuple):
    """What serves now, and the old instances that are being let go."""

    target: Manifest
    replaced: list[Leaving]


def deploy(project: Project, request: Request, warm: bool = True) -> Deployed:
    """
    Carry the request out; the caller holds the lock.

    Raises ZddError when that failed: then what served before serves.
    """
    finish_interrupted(project)
    project.instances.adopt(request.services or tuple(project.config.services))
    target = plan.manifest(project.config, observe(project), request, time.time())
    before = project.tables.before(target)
    project.events.send(
        Begin(deploy=target.deploy, action=request.action, project=project.name, text=request.words or UNSET)
    )
    _tell_of_root(project, target.new(before))
    _tell_of_old_layout(project, list(target.instances))
    try:
        pipeline.run(plan.before_commit(target, before), project, lambda: turn_back(project, target))
    except ZddError as error:
        outcome = "failed" if error.exit_code == 5 else "undone"
        _write_down(project, target, outcome, error.message, last_words(error))
        _hook_quietly(project, "on_failure", target, outcome, error.message)
        raise
    _write_down(project, target, "done", None)
    replaced = _settle_quietly(project, warm)
    _hook_quietly(project, "after_deploy", target, "done", "")
    return Deployed(target, replaced)


def finish_interrupted(project: Project) -> Manifest | None:
    """Recover what was interrupted or lost, and let go what it left; returns its manifest, None where all was well."""
    recovered = recover(project)
    if recovered:
        outcome = "done" if recovered.committed else "undone"
        words = "finished" if recovered.committed else "undone"
        project.events.notice(f"deploy {recovered.deploy} was interrupted; it is {words} now")
        _write_down(project, recovered, outcome, None if recovered.committed else "interrupted")
    found = find_way(project)
    if project.releases:
        project.releases.discard_half_built()
    settle(project)
    return recovered or found


def observe(project: Project) -> Observed:
    """Look at what is there, as far as a plan depends on it."""
    last = max([0, *project.tables.numbers(), *project.paths.logged_deploys()])
    return Observed(project.tables.current(), last, project.instances.last_numbers())


def _tell_of_root(project: Project, instances: list[Instance]) -> None:
    """Say which services of these instances will run as root, because nobody has said otherwise."""
    services = [project.config.services[name] for name in dict.fromkeys(one.service for one in instances)]
    names = [one.name for one in services if isinstance(one, RunService) and one.user is None]
    if names and os.geteuid() == 0:
        project.events.notice(f"{shorten(names, _SHOWN)}: running as root; {USER_NEEDS}")


def _tell_of_old_layout(project: Project, names: list[str]) -> None:
    """Say which instances stay that a zdd 0.1 has started."""
    if old := [name for name in names if project.paths.is_of_0_1(name)]:
        words = f"{shorten(old, _SHOWN)}: started by zdd 0.1, whose layout of sockets is supported until 0.3"
        project.events.notice(f"{words}; `zddeploy restart` replaces them")


def _write_down(
    project: Project, target: Manifest, outcome: str, cause: str | None, output: Sequence[str] | None = None
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
        steps=project.events.steps,
        release=target.release,
        label=target.label,
        cause=cause,
        output=[secret.hide(line) for line in output] if output else None,
        replaced=target.before,
        origin=target.origin,
    )
    in_place.remember(project, target.deploy)
    try:
        history.append(project.paths.history, entry)
        if target.action == "deploy" and outcome == "done":
            environment.remember(project.paths.environment)
    except Exception as error:
        project.events.notice(f"cannot write {project.paths.history}: {as_zdd_error(error).message}")


def _settle_quietly(project: Project, warm: bool) -> list[Leaving]:
    """Clean up after the commit: the new version serves, whatever cannot be done, and the next command tries again."""
    try:
        return settle(project, warm)
    except (ZddError, OSError) as error:
        project.events.notice(f"the clean-up failed: {as_zdd_error(error).message}; `zddeploy recover` tries again")
        return []


def _hook_quietly(project: Project, name: str, target: Manifest, outcome: str, cause: str) -> None:
    """Run a hook that comes too late to change anything: report its failure, and go on."""
    try:
        with project.interrupts.held():
            hooks.run(project, name, target, outcome, cause)
    except Exception as error:
        project.events.notice(as_zdd_error(error).message)
