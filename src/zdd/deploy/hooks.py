"""The user's own commands at certain moments of a deploy."""

from __future__ import annotations

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


def run(site: Site, name: str, target: Manifest, outcome: str = "", cause: str = "") -> None:
    """
    Run the project's command of this name, and for before_start those of the services that are started.

    Each is run by `/bin/sh -ec` in the new release. Raises HookFailed when one fails or takes longer than hook_timeout.
    """
    commands = [("", getattr(site.config.zdd, name))]
    if name == "before_start":
        commands += [(service.name, service.before_start) for service in _started(site, target)]
    for service, command in commands:
        if command:
            _run_one(site, name, service, command, target, outcome, cause)


def _run_one(site: Site, name: str, service: str, command: str, target: Manifest, outcome: str, cause: str) -> None:
    before = site.tables.before(target)
    folder = site.folder_of(target.release)
    env = environment.inherited() | {
        "ZDD_PROJECT": site.config.project,
        "ZDD_SERVICE": service,
        "ZDD_RELEASE": target.release or "",
        "ZDD_RELEASE_PATH": folder,
        "ZDD_PREVIOUS_RELEASE": (before.release if before else None) or "",
        "ZDD_DEPLOY": str(target.deploy),
        "ZDD_ACTION": target.action,
        "ZDD_OUTCOME": outcome,
        "ZDD_CAUSE": cause,
    }
    log, timeout = site.places.deploy_log(target.deploy), site.config.zdd.hook_timeout
    since = files.size(log)
    with site.report.timed(f"hook-{name}"):
        argv = ["/bin/sh", "-ec", command]
        status = site.commands.attend(argv, folder, env, log, timeout, site.clock, site.interrupts.check)
    if status is None:
        words = f"was killed: not done after {timeout:g} s"
    elif status:
        words = f"ended with {ended(status)}"
    else:
        return
    whose = f"{service}: " if service else ""
    raise HookFailed(f"{whose}{name} `{command}` {words}", files.tail(log, _SHOWN_LINES, since), log)


def _started(site: Site, target: Manifest) -> list[RunService]:
    names = {one.service for one in target.new(site.tables.before(target))}
    return [one for name, one in site.config.services.items() if name in names and isinstance(one, RunService)]
