"""What a deploy needs from the machine, checked before it touches anything."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from zdd.checks import low_ports, static_sites, surroundings
from zdd.claims import user_name
from zdd.errors import UsageError
from zdd.finding import Finding, error, fine, warning
from zdd.host import reach, systemd, unit_files
from zdd.instances import environment
from zdd.operate import boot_unit
from zdd.project import Project

_OPERATORS = {"|", "||", "&&", "&", ";", ">", ">>", "<", "2>", "2>&1"}  # of shells
_HOOKS = ("before_start", "after_switch", "after_deploy", "on_failure")


def require(project: Project, action: str = "deploy") -> None:
    """
    Raise UsageError, while nothing is touched yet, if something that is needed is missing; emit the notices.

    `up` and `recover` start the apps even if somebody else's nginx does not run yet, as at boot.
    """
    for finding in surroundings.findings(project):
        raise UsageError(finding.what, hint=finding.fix)
    project.proxy.require()
    if action not in ("up", "recover") and project.tables.current() and (down := project.proxy.whereabouts().down):
        raise UsageError(f"{down}: visitors get nothing", hint="start nginx, then run zddeploy again")
    project.instances.require()
    if release := project.config.release:
        from zdd.release import shared  # here, because most projects have no releases

        shared.check(release.shared, project.paths.shared)
    certificates = project.proxy.certificate_findings(new=True) if action == "deploy" else ()
    nginx = (*access(project), *static_sites.access(project), *low_ports.findings(project))
    for finding in (*nginx, *env_files(project), *certificates, *_acme(project, action)):
        raise UsageError(finding.what, hint=finding.fix)
    for notice in notices(project):
        project.events.notice(notice.line)


def _acme(project: Project, action: str) -> Iterator[Finding]:
    """Check that a deploy can have certificates issued if it needs some."""
    if action == "deploy" and project.config.nginx.https == "auto":
        from zdd.checks import certificates

        yield from certificates.required(project)


def access(project: Project) -> Iterator[Finding]:
    """Check whether nginx can reach the slots, and zdd can count the instances' connections."""
    if not project.config.static and not any(app.socket in ("fd", "unix") for app in project.config.apps.values()):
        return
    yield from _links(project)
    if nginx := project.proxy.whereabouts().overlooks(project.paths.runtime):
        yield error(
            f"nginx (process {nginx.pid}) does not see {project.paths.runtime}: it has a mount namespace of its own",
            "every request would be answered 502",
            f"let its unit see the folder (PrivateTmp=no, BindPaths={project.paths.runtime}), its container mount it; "
            "or set runtime_dir in [zdd] to a folder that it sees",
        )
    enable = boot_unit.enable_command(project.config)
    if unsearchable := project.proxy.first_unsearchable_folder():
        folder, worker = unsearchable
        mode, runtime = os.stat(folder).st_mode & 0o777, project.paths.runtime
        us, name = user_name(os.geteuid()), project.name
        yield error(
            f"nginx's workers (user {worker}) cannot pass {folder} (mode {mode:o}) on the way to {runtime}",
            "every request would be answered 502",
            f"once: `sudo install -d -o {us} -m 711 /run/zdd/{name}`; for every boot: `{enable}`",
        )


def _links(project: Project) -> Iterator[Finding]:
    """Check whether zdd can link the sockets that apps of other users bind."""
    for app in project.config.apps.values():
        uid = environment.identity_of(app).uid
        if app.socket == "unix" and uid not in (None, os.geteuid()) and not reach.may_link(uid):
            yield error(
                f"{app.name}: a socket of user {app.user} cannot be linked; we are root without CAP_FOWNER",
                "nginx would never reach the app",
                'give the container or the unit this capability, or let the app inherit its socket (socket = "fd")',
            )


def env_files(project: Project) -> Iterator[Finding]:
    """
    Check that root believes no env_file which another user can write: hooks of [zdd] and apps of root's would get it.

    A user who can write the configuration may be root anyway. What a deploy has recorded was checked then.
    """
    if os.geteuid() != 0:
        return
    for app in project.config.apps.values():
        if app.env_file is None or isinstance(app, environment.ResolvedService):
            continue
        hooks = [name for name in _HOOKS if getattr(project.config.zdd, name)]
        as_root = environment.identity_of(app).uid in (None, 0)
        if not (hooks or as_root) or not (place := _others_may_change(app.env_file, project.config.path)):
            continue
        gets = f"{', '.join(hooks)} of [zdd]" if hooks else "the app"
        yield error(
            f"{app.name}: env_file {app.env_file} can be changed by others than root ({place}), "
            f"and {gets} would be run by root with what it says",
            "LD_PRELOAD or PATH in it would make its writer root",
            f"`chown root {app.env_file}`, in a folder of root's"
            + (f"; or have the commands in before_start of [service.{app.name}]" if not as_root else ""),
        )


def _changeable(project: Project) -> Iterator[Finding]:
    """Yield what others could change of what root runs or writes, less what the configuration's owner could."""
    config = project.config
    if os.geteuid() != 0:
        return
    why, cure = "who can change it can be root", "let only root write it and the folders above it"
    if project.proxy.is_needed and (place := project.proxy.binary.changeable()):
        yield warning(f"root runs {project.proxy.binary.path}, which others can change ({place})", why, cure)
    for written in (config.nginx.include, config.nginx.template, config.nginx.server_include):
        if written and (place := _others_may_change(written, config.path)):
            yield warning(f"root writes or reads {written} for nginx, which others can change ({place})", why, cure)


def _others_may_change(path: Path, conf: Path) -> str | None:
    """Return what of the path users can change who cannot change the configuration."""
    try:
        owner = os.stat(conf)
    except OSError:
        return None
    place = reach.changeable(str(path), owner.st_uid, owner.st_gid)
    return place if place != reach.changeable(str(conf), owner.st_uid, owner.st_gid) else None


def notices(project: Project) -> Iterator[Finding]:
    """Yield what may surprise later: what ends with the login, or at a reboot, and what has no effect."""
    us, manager, apps = user_name(os.geteuid()), systemd.manager(), project.config.apps.values()
    if manager is None and (fate := systemd.fate(project.commands)):
        cure = f"to prevent it, once: `sudo loginctl enable-linger {us}`"
        yield warning(f"what is started now ends {fate}", "no instance would serve any more", cure)
    if manager is None and any(app.memory_max or app.cpu_weight for app in apps):
        needs = "they need systemd and, for you, `loginctl enable-linger`"
        yield warning("memory_max and cpu_weight have no effect", "systemd applies them, to units", needs)
    if systemd.runs() and not boot_unit.is_enabled(project.name):
        cure = f"to start it at boot, once: `{boot_unit.enable_command(project.config)}`"
        yield warning("after a reboot nothing is started", "the site would be down until somebody deploys", cure)
    elif (unit := unit_files.started(boot_unit.path(project.name))) and not os.path.exists(conf := unit[1]):
        cure = f"to rewrite it, once: `{boot_unit.enable_command(project.config)}`"
        yield warning(f"at boot {conf} is read, which is gone", "the site would be down until somebody deploys", cure)
    yield from project.proxy.notices()
    if project.config.nginx.https == "auto":
        from zdd.checks import certificates  # here, because most projects have none

        yield from certificates.notices(project)
    yield from _changeable(project)
    for app in apps:
        if _OPERATORS & set(app.run.split()) and (given := _OPERATORS & set(shlex.split(app.run))):
            what = f"{app.name}: no shell runs it, so {' and '.join(sorted(given))} in run is for the program to read"
            yield warning(what, "nothing is piped, redirected or run after it", "for a shell: run = \"sh -c '...'\"")
    if waiting := [app.name for app in apps if app.order == "stop-first" and app.socket == "fd"]:
        yield fine(f"{', '.join(waiting)}: stop-first, so requests wait meanwhile: {project.proxy.capacity()}")
        if project.releases is None:
            yield warning(
                "without [release], a stop-first version that fails leaves the old one to start from its code",
                "the old version's code is gone by then",
                "have releases built: [release] source",
            )
