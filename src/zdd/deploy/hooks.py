"""The user's own commands at certain moments of a deploy."""

from __future__ import annotations

import math
from typing import NamedTuple

from zdd.conf.schema import RunService
from zdd.deploy.site import Site
from zdd.errors import DeployFailed
from zdd.host import files
from zdd.instance import environment
from zdd.instance.failure import ended
from zdd.switch.manifest import Manifest

_SHOWN_LINES = 20


class HookFailed(DeployFailed):
    """A command of the user's failed; `output` is the last it printed."""

    def __init__(self, message: str, output: list[str], log: str) -> None:
        super().__init__(message)
        self.output = output[-_SHOWN_LINES:]
        self.log = log


class Hook(NamedTuple):
    """One command: which moment it is for, whose it is ("" for the project's), and the shell's words."""

    name: str
    service: str
    command: str


def run(site: Site, name: str, target: Manifest, outcome: str = "", cause: str = "") -> None:
    """
    Run the project's command of this name, and after its before_start those of the services that start first.

    Each is run by `/bin/sh -ec` in the new release. Raises HookFailed when one fails or takes longer than hook_timeout.
    """
    if command := getattr(site.config.zdd, name):
        _run_one(site, Hook(name, "", command), target, outcome, cause)
    if name == "before_start":
        new = target.new(site.tables.before(target))
        before_start_of(site, target, {one.service for one in new if not one.stop_first})


def before_start_of(site: Site, target: Manifest, services: set[str], within: float = math.inf) -> None:
    """Run the before_start of these services, each of at most this many seconds. Raises HookFailed."""
    for name, service in site.config.services.items():
        if name in services and isinstance(service, RunService) and service.before_start:
            _run_one(site, Hook("before_start", name, service.before_start), target, within=within)


def _run_one(
    site: Site, hook: Hook, target: Manifest, outcome: str = "", cause: str = "", within: float = math.inf
) -> None:
    before = site.tables.before(target)
    folder = site.folder_of(target.release)
    env = environment.inherited() | {
        "ZDD_PROJECT": site.config.project,
        "ZDD_SERVICE": hook.service,
        "ZDD_RELEASE": target.release or "",
        "ZDD_RELEASE_PATH": folder,
        "ZDD_PREVIOUS_RELEASE": (before.release if before else None) or "",
        "ZDD_DEPLOY": str(target.deploy),
        "ZDD_ACTION": target.action,
        "ZDD_OUTCOME": outcome,
        "ZDD_CAUSE": cause,
    }
    log, timeout = site.places.deploy_log(target.deploy), min(site.config.zdd.hook_timeout, within)
    since = files.size(log)
    with site.report.timed(f"hook-{hook.name}", f"{hook.name} `{hook.command}`"):
        argv = ["/bin/sh", "-ec", hook.command]
        status = site.commands.attend(argv, folder, env, log, timeout, site.clock, site.interrupts.check)
    if status is None:
        words = f"was killed: not done after {timeout:.3g} s"
    elif status:
        words = f"ended with {ended(status)}"
    else:
        return
    whose = f"{hook.service}: " if hook.service else ""
    raise HookFailed(f"{whose}{hook.name} `{hook.command}` {words}", files.tail(log, _SHOWN_LINES, since), log)
