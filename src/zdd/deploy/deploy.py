"""The story of a deploy and of every other command that changes which version serves."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

from msgspec import UNSET

from zdd.checks import preflight, surroundings
from zdd.deploy import cleanup, hooks, pipeline, plan, recovery, versions
from zdd.deploy.outcome import known_to_serve, report_done, report_failure, write_history
from zdd.deploy.plan import Observed, Request
from zdd.deploy.watch import DrainWatch, watch
from zdd.errors import NeedsPerson, NotMended, Unforeseen, ZddError, as_zdd_error, last_words, shorten
from zdd.events import Begin, Failed
from zdd.instances.environment import USER_NEEDS
from zdd.operate import admission
from zdd.project import Project
from zdd.routing.manifest import Instance, Manifest

_SHOWN = 5  # names in a notice


def deploy(
    project: Project,
    action: str,
    ask: Callable[[], Request],
    detach: bool = False,
    strict_drain: bool = False,
    still_broken: Callable[[], NeedsPerson | None] = lambda: None,
) -> int:
    """
    Change which version serves, report the outcome, and return the exit code.

    `ask` returns the request; it is called while the lock is held. A deploy uses today's configuration, whose needs are
    checked before the lock is taken. `still_broken` returns what is broken even after that. If the change failed, it
    is reported and ZddError is raised.

    Signals are noted until the outcome is reported. They undo a deploy before its commit. Afterwards they only end the
    watching: the deploy is done.
    """
    with project.interrupts.caught():
        return _deploy(project, action, ask, detach, strict_drain, still_broken)


def _deploy(
    project: Project,
    action: str,
    ask: Callable[[], Request],
    detach: bool,
    strict_drain: bool,
    still_broken: Callable[[], NeedsPerson | None],
) -> int:
    today, begun, before = project, time.monotonic(), known_to_serve(project)
    try:
        surroundings.require_folders(project)
        if action == "deploy":
            preflight.require(project)
        with recovery.changing(project, f"zddeploy {action}", spare_warm=action == "rollback"):
            admission.mend(project)
            request = ask()
            project = versions.project_of(today, request)
            if action != "deploy":
                preflight.require(project, action)
            if text := versions.differences(today, request):
                project.events.notice(text)
            target, replaced = carry_out(project, request, keep_warm=not strict_drain)
            seconds = time.monotonic() - begun
    except Exception as error:
        failed = as_zdd_error(error)
        if action == "recover" and failed.exit_code == 1:
            failed = NotMended.by(failed)
        raise report_failure(today, failed, before)  # noqa: B904  (it keeps its own cause)
    if project.config.nginx.https == "auto":
        from zdd.deploy import certificates  # here, because most projects have none to ask for

        certificates.after_deploy(project)
    drained = None if detach else watch(project, target, replaced)
    return report_done(today, target, seconds, drained, strict_drain, still_broken())


def carry_out(project: Project, request: Request, keep_warm: bool = True) -> tuple[Manifest, list[DrainWatch]]:
    """
    Carry out a request, including its clean-up, while the lock is held; return what serves and what is retired.

    Raises ZddError if the change failed; then the version before it serves.
    """
    begun = time.monotonic()
    project.instances.drivers.adopt(request.services or tuple(project.config.services))
    target = planned(project, request)
    before = project.tables.before(target)
    _require_one_protocol(project, target, before)
    project.events.send(
        Begin(
            deploy=target.deploy,
            action=target.action,
            project=project.name,
            started=target.started,
            text=request.where or UNSET,
        )
    )
    _warn_of_root(project, target.new(before))
    _warn_of_old_layout(project, list(target.instances))
    try:
        steps = plan.before_commit(target, before, project.config)
        pipeline.run(steps, project, lambda cause: _turn_back(project, target, cause))
    except ZddError as error:
        outcome = "failed" if error.exit_code == 5 else "undone"
        write_history(project, target, outcome, time.monotonic() - begun, error.message, last_words(error))
        hooks.run_late(project, "on_failure", target, outcome, error.message)
        raise
    with project.interrupts.held():
        write_history(project, target, "done", time.monotonic() - begun)
        replaced = cleanup.try_to_clean_up(project, keep_warm)
        hooks.run_late(project, "after_deploy", target, "done")
    return target, replaced


def _turn_back(project: Project, target: Manifest, cause: BaseException) -> None:
    """Record that the deploy goes back, then tell the cause at once: an undo may take long."""
    with contextlib.suppress(OSError):  # a full disk must not hide the cause
        recovery.turn_back(project, target)
    if isinstance(cause, ZddError) and not isinstance(cause, Unforeseen):  # of that there is a report first
        project.events.send(Failed.of(cause))
        cause.is_reported = True


def planned(project: Project, request: Request) -> Manifest:
    """Return the manifest of the table that would carry out the request now. Raises UsageError."""
    last = max(project.paths.last_logged_deploy(), *project.tables.numbers(), 0)
    observed = Observed(project.tables.current(), last, project.instances.drivers.last_numbers())
    return plan.manifest(project.config, observed, request, time.time())


def _require_one_protocol(project: Project, target: Manifest, before: Manifest | None) -> None:
    """Raise UsageError if an instance that will be retired was started by a zddeploy that this one cannot talk to."""
    project.instances.running([name for name in before.instances if name not in target.instances] if before else [])


def _warn_of_root(project: Project, instances: list[Instance]) -> None:
    """Warn of services that will run as root because they name no user."""
    new, apps = {instance.service for instance in instances}, project.config.apps
    names = [name for name, app in apps.items() if name in new and app.user is None]
    if names and os.geteuid() == 0:
        project.events.notice(f"{shorten(names, _SHOWN)}: running as root; {USER_NEEDS}")


def _warn_of_old_layout(project: Project, names: list[str]) -> None:
    """Warn of instances that stay and that zdd 0.1 started."""
    if old := [name for name in names if project.paths.is_of_0_1(name)]:
        text = f"{shorten(old, _SHOWN)}: started by zdd 0.1, whose layout of sockets is supported until 0.3"
        project.events.notice(f"{text}; `zddeploy restart` replaces them")
