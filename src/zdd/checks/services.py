"""Checks of services: their keys, their programs, the source of their releases."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from zdd.conf.services import RunService
from zdd.errors import UsageError
from zdd.finding import Finding, error, fine, warning
from zdd.host import reach
from zdd.host.command import which
from zdd.instances import environment
from zdd.instances.environment import USER_NEEDS
from zdd.project import Project
from zdd.release import shared
from zdd.release.source import locate


def services(project: Project) -> Iterator[Finding]:
    """Check what the configuration says about services, and what it leaves out."""
    config = project.config
    for words in config.warnings:
        yield warning(words, "the old tool ignored it, and so does this one", "remove it, or correct its name")
    apps = config.apps.values()
    asked = [app for app in apps if app.socket != "none" and app.protocol == "http"]
    unproven = [app.name for app in asked if not (app.health_path or app.health_command)]
    if unproven:
        yield warning(
            f"{', '.join(unproven)}: no health_path",
            "any answer under 500 to GET / counts as healthy, a redirect or a 404 too",
            "set health_path to a path that answers 200 only when the app really works",
        )
    as_root = [app.name for app in apps if app.user is None]
    if as_root and os.geteuid() == 0:
        yield warning(
            f"{', '.join(as_root)}: running as root",
            "anyone who breaks into the app has the machine",
            USER_NEEDS,
        )
    if os.geteuid() == 0 and (place := reach.changeable(str(config.path), 0, 0)):
        yield warning(
            f"root deploys what {config.path} says, and others than root can change it ({place})",
            "its hooks and builds are run by root: who can change it can be root",
            "let only root write it and the folders above it; or deploy as its owner",
        )
    project.instances.require()
    yield fine(f"{config.path}: {', '.join(config.services)}")


def commands(project: Project) -> Iterator[Finding]:
    """Check that the programs of services exist."""
    for service in project.config.apps.values():
        yield from _command(project, service)


def release(project: Project) -> Iterator[Finding]:
    """Check that the source of releases exists."""
    if project.config.release is None:
        return
    try:
        shared.check(project.config.release.shared, project.paths.shared)
    except UsageError as problem:
        yield error(problem.message, "no release could be built or started", problem.hint or "")
    source = project.config.release.source
    if locate(source):
        if which("git") is None:
            yield error("git is not installed", "source is a git repository", "install git")
    elif not os.path.isdir(source):
        yield error(f"[release] source: {source} does not exist", "no release can be built", "correct source")


def _command(project: Project, service: RunService) -> Iterator[Finding]:
    program = shlex.split(service.run)[0]
    if "{" in program:
        return
    folder = str(service.cwd or _folder(project) or "")
    uid, _, groups = environment.identity_of(service)
    if folder and uid is not None and (closed := reach.first_unsearchable_folder(folder, uid, groups or [])):
        yield error(
            f"{service.name}: user {service.user} cannot pass {closed} on the way to its code, {folder}",
            "the app cannot be started",
            f"`chmod o+x {closed}`, or have releases built elsewhere: [release] source",
        )
    if "/" not in program:
        path = environment.clean(service, {}).get("PATH", os.defpath)
        if not which(program, path):
            yield error(
                f"{service.name}: {program} is not in PATH ({path})",
                "the app cannot be started",
                f"install it, or name it with its folder, such as .venv/bin/{program}",
            )
    elif os.path.isabs(program) or folder:
        where = os.path.join(folder, program)
        if not os.path.exists(where):
            yield error(f"{service.name}: {where} does not exist", "the app cannot be started", "correct run, or cwd")
        elif os.path.isdir(where):
            yield error(f"{service.name}: {where} is a folder", "the app cannot be started", "begin run with a program")
        elif not os.access(where, os.X_OK):
            yield error(f"{service.name}: {where} cannot be executed", "the app cannot be started", f"chmod +x {where}")


def _folder(project: Project) -> str | None:
    """Return the folder of the code: the live release's, or the configuration's; None before the first release."""
    current = project.releases.current() if project.releases else None
    return project.folder_of(current) if current or not project.releases else None
