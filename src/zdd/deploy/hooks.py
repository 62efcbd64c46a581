"""Hooks: the user's own commands at certain moments of a deploy."""

from __future__ import annotations

import math
import os
import re

from zdd.claims import user_name
from zdd.errors import ProgramFailed, as_zdd_error
from zdd.host import files, interpreter
from zdd.host.command import Identity, Surroundings, cannot_run
from zdd.host.process import ended
from zdd.instances import environment
from zdd.instances.health.failure import rebuild
from zdd.project import Project
from zdd.routing.manifest import Manifest

_SEARCHED_LINES = 1000  # of the output of a failed hook
_NOT_FOUND = (126, 127)  # how a shell ends that cannot run a program


def run(project: Project, name: str, target: Manifest, outcome: str = "", cause: str = "") -> None:
    """
    Run the project's hook of this name; after a before_start, also those of the start-first services that are new.

    Each runs with `/bin/sh -ec` in the new release. If there is no new release, on_failure runs in the one that serves,
    else beside the configuration. Raises ProgramFailed if a hook cannot run, fails or takes longer than hook_timeout.
    """
    if command := getattr(project.config.zdd, name):
        _execute(project, target, name, command, ZDD_OUTCOME=outcome, ZDD_CAUSE=cause)
    if name == "before_start":
        new = target.new(project.tables.before(target))
        before_start_of(project, target, {instance.service for instance in new if not instance.stop_first})


def run_late(project: Project, name: str, target: Manifest, outcome: str, cause: str = "") -> None:
    """Run a hook after the outcome is decided, and only report its failure."""
    try:
        with project.interrupts.held():
            run(project, name, target, outcome, cause)
    except Exception as error:
        project.events.notice(as_zdd_error(error).message)


def before_start_of(project: Project, target: Manifest, services: set[str], within: float = math.inf) -> None:
    """Run the before_start of these services, each for at most `within` seconds. Raises ProgramFailed."""
    for name, service in project.config.services.items():
        if name in services and service.before_start:
            _execute(project, target, "before_start", service.before_start, name, within, ZDD_OUTCOME="", ZDD_CAUSE="")


def _execute(
    project: Project, target: Manifest, name: str, command: str, service: str = "", within: float = math.inf, **own: str
) -> None:
    """Run the command of a hook with its `own` variables; a project's hook has no service. Raises ProgramFailed."""
    before = project.tables.before(target)
    folder = code = project.folder_of(target.release)
    if name == "on_failure" and not os.path.isdir(code):
        code, folder = "", _folder_without_release(project, before)
    own |= _variables(project, target, before) | {"ZDD_SERVICE": service, "ZDD_RELEASE_PATH": code}
    there, env_services = _surroundings(project, service, folder, own)
    log, timeout = _log_of(project, target), min(project.config.zdd.hook_timeout, within)
    log_start = files.size(log)
    title = f"{service}: {name}" if service else name
    with project.events.timed(f"hook-{name}", f"{name} `{command}`"):
        argv = ["/bin/sh", "-ec", command]
        try:
            child = project.commands.spawn(argv, there.cwd, there.env, log, who=there.who)
            status = child.wait(timeout, project.clock, project.interrupts.check)
        except OSError as error:
            message = f"{title}: {cannot_run(command, error)}"
            raise ProgramFailed(message, [], log, hint=f"it is run by /bin/sh in {folder}") from error
        if status != 0:
            hint = status in _NOT_FOUND and _lacking(command, folder, built=bool(target.release))
            hint = hint or _how_it_ran(there.who, folder, env_services)
            how = f"was killed: not done after {timeout:.3g} s" if status is None else f"ended with {ended(status)}"
            if status is None and timeout == project.config.zdd.hook_timeout:
                hint = f"if it needs longer, raise hook_timeout; {hint}"
            raise _failure(f"{title} `{command}` {how}", log, log_start, hint)


def _failure(message: str, log: str, log_start: int, hint: str) -> ProgramFailed:
    """Return the error of a hook that has failed, with the cause as far as its output in the log shows it."""
    from zdd import cause  # here, because most hooks succeed

    output = files.tail(log, _SEARCHED_LINES, log_start)
    return ProgramFailed(cause.with_cause(message, output), output, log, hint=hint)


def _variables(project: Project, target: Manifest, before: Manifest | None) -> dict[str, str]:
    """Return the variables that all hooks of a deploy get; `before` is the table before it."""
    return {
        "ZDD_PROJECT": project.name,
        "ZDD_RELEASE": target.release or "",
        "ZDD_PREVIOUS_RELEASE": (before.release if before else None) or "",
        "ZDD_DEPLOY": str(target.deploy),
        "ZDD_ACTION": target.action,
    }


def _how_it_ran(who: Identity, folder: str, env_services: str) -> str:
    """Return as whom a hook ran, where, and with which variables."""
    user = user_name(os.geteuid() if who.uid is None else who.uid)
    variables = f", with env and env_file of {env_services}" if env_services else ""
    return f"it ran as {user} in {folder}{variables}"


def _lacking(command: str, folder: str, built: bool) -> str | None:
    """Say which of the programs that a command names lacks what it leads to, and the cure; None if none does."""
    for word in re.findall(r"[^\s;|&()'\"]*/[^\s;|&()'\"]*", command):
        if lacks := interpreter.missing(os.path.join(folder, word)):
            cure = rebuild(lacks) if built else None
            return f"{word}: {lacks}; {cure}" if cure else f"{word}: {lacks}"
    return None


def _folder_without_release(project: Project, before: Manifest | None) -> str:
    """Return the folder in which on_failure runs if the new release does not exist."""
    folder = project.folder_of(before.release) if before else ""
    return folder if os.path.isdir(folder) else str(project.config.folder)


def _log_of(project: Project, target: Manifest) -> str:
    """Return the deploy's log, or /dev/null if it cannot be written: on_failure may report exactly that."""
    log = project.paths.deploy_log(target.deploy)
    try:
        with open(log, "ab"):
            return log
    except OSError:
        return os.devnull


def _surroundings(project: Project, name: str, folder: str, own: dict[str, str]) -> tuple[Surroundings, str]:
    """
    Return the folder, environment and user of a hook, and the names of the services whose variables it gets.

    A service's hook runs as its app does. A project's hook runs as we do, with the variables of all its apps.
    """
    apps = project.config.apps
    if name:
        service = apps[name]
        return Surroundings(folder, environment.clean(service, own), environment.identity_of(service)), name
    env = environment.inherited() | environment.for_hooks(list(apps.values())) | own
    return Surroundings(folder, env), ", ".join(app.name for app in apps.values() if app.env or app.env_file)
