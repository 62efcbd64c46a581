"""The user's own commands at certain moments of a deploy."""

from __future__ import annotations

import math
import os
from typing import NamedTuple

from zdd.claims import user_name
from zdd.conf.schema import RunService
from zdd.errors import ProgramFailed, as_zdd_error
from zdd.host import files
from zdd.host.command import Surroundings, cannot_run
from zdd.host.process import ended
from zdd.instances import environment, user
from zdd.project import Project
from zdd.routing.manifest import Manifest

_SHOWN_LINES = 20


class HookFailed(ProgramFailed):
    """A command of the user's failed."""


class Hook(NamedTuple):
    """One command: which moment it is for, whose it is ("" for the project's), and the shell's words."""

    name: str
    service: str
    command: str


def run(project: Project, name: str, target: Manifest, outcome: str = "", cause: str = "") -> None:
    """
    Run the project's command of this name, and after its before_start those of the services that start first.

    Each is run by `/bin/sh -ec` in the new release. If the build failed, on_failure runs in the release that serves,
    else beside the configuration. Raises HookFailed when one cannot be run, fails or takes longer than hook_timeout.
    """
    if command := getattr(project.config.zdd, name):
        _run_one(project, Hook(name, "", command), target, outcome, cause)
    if name == "before_start":
        new = target.new(project.tables.before(target))
        before_start_of(project, target, {one.service for one in new if not one.stop_first})


def run_late(project: Project, name: str, target: Manifest, outcome: str, cause: str = "") -> None:
    """Run a hook that comes too late to change anything: a failure of it is only told."""
    try:
        with project.interrupts.held():
            run(project, name, target, outcome, cause)
    except Exception as error:
        project.events.notice(as_zdd_error(error).message)


def before_start_of(project: Project, target: Manifest, services: set[str], within: float = math.inf) -> None:
    """Run the before_start of these services, each of at most this many seconds. Raises HookFailed."""
    for name, service in project.config.services.items():
        if name in services and isinstance(service, RunService) and service.before_start:
            _run_one(project, Hook("before_start", name, service.before_start), target, within=within)


def _run_one(
    project: Project, hook: Hook, target: Manifest, outcome: str = "", cause: str = "", within: float = math.inf
) -> None:
    before = project.tables.before(target)
    code = project.folder_of(target.release)
    folder = code
    if hook.name == "on_failure" and not os.path.isdir(code):
        code, folder = "", _folder_without_release(project, before)
    own = {
        "ZDD_PROJECT": project.name,
        "ZDD_SERVICE": hook.service,
        "ZDD_RELEASE": target.release or "",
        "ZDD_RELEASE_PATH": code,
        "ZDD_PREVIOUS_RELEASE": (before.release if before else None) or "",
        "ZDD_DEPLOY": str(target.deploy),
        "ZDD_ACTION": target.action,
        "ZDD_OUTCOME": outcome,
        "ZDD_CAUSE": cause,
    }
    there, given = _surroundings(project, hook.service, folder, own)
    log, timeout = _log_of(project, target), min(project.config.zdd.hook_timeout, within)
    since = files.size(log)
    with project.events.timed(f"hook-{hook.name}", f"{hook.name} `{hook.command}`"):
        argv = ["/bin/sh", "-ec", hook.command]
        whose = f"{hook.service}: " if hook.service else ""
        try:
            status = project.commands.attend(argv, there, log, timeout, project.clock, project.interrupts.check)
        except OSError as error:
            told = f"{whose}{hook.name}: {cannot_run(hook.command, error)}"
            raise HookFailed(told, [], log, hint=f"it is run by /bin/sh in {folder}") from error
        if status != 0:
            words = f"was killed: not done after {timeout:.3g} s" if status is None else f"ended with {ended(status)}"
            told = f"{whose}{hook.name} `{hook.command}` {words}"
            name_of_user = user_name(os.geteuid() if there.who.uid is None else there.who.uid)
            hint = f"it ran as {name_of_user} in {folder}" + (f", with env and env_file of {given}" if given else "")
            raise HookFailed(told, files.tail(log, _SHOWN_LINES, since), log, hint=hint)


def _folder_without_release(project: Project, before: Manifest | None) -> str:
    """Return the folder in which a hook runs if its release does not exist."""
    folder = project.folder_of(before.release) if before else ""
    return folder if os.path.isdir(folder) else str(project.config.folder)


def _log_of(project: Project, target: Manifest) -> str:
    """Return the deploy's log, or /dev/null if it cannot be written: the hook may report exactly that."""
    log = project.paths.deploy_log(target.deploy)
    try:
        with open(log, "ab"):
            return log
    except OSError:
        return os.devnull


def _surroundings(project: Project, name: str, folder: str, own: dict[str, str]) -> tuple[Surroundings, str]:
    """
    Return what a hook has around it, and the names of the services whose variables it is given.

    A service's hook is run as its app is. The project's is run as we are, and finds what any of its apps would.
    """
    services = [one for one in project.config.services.values() if isinstance(one, RunService)]
    if name:
        service = next(one for one in services if one.name == name)
        return Surroundings(folder, environment.clean(service, own), user.of(service)), name
    env = environment.inherited() | environment.given(services) | own
    return Surroundings(folder, env), ", ".join(one.name for one in services if one.env or one.env_file)
