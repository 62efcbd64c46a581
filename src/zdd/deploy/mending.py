"""What `recover` does about everything that `status` calls broken: it mends it, or says what a person must do."""

from __future__ import annotations

from zdd import living
from zdd.deploy import requests
from zdd.errors import NeedsPerson, ZddError, as_zdd_error
from zdd.events import Result
from zdd.instances.state import ORPHANED
from zdd.operate import admission, switched_off
from zdd.operate.status import Status, status
from zdd.project import Project

_PATIENCE = 5.0  # seconds for instances that are about to serve or to end: most need a part of one (discarded.py)
_POLL = 0.1  # seconds
_PASSING = {"starting", "draining", "stopping"}


def is_lost(project: Project) -> bool:
    """Return whether it should serve, and there is no table: it is missing, or of before a reboot."""
    if living.is_stale(project.paths) or project.tables.published() is None:
        return switched_off.problem(project) is not None
    return project.tables.astray() is not None


def mend_nginx(project: Project) -> bool:
    """
    Let nginx run, have the text of what serves, and reach all instances; the caller holds the lock.

    Returns whether anything was done about that. A failure is only reported: the instances may still be mended.
    """
    shut = admission.mend(project)
    current, problem = project.tables.current(), project.proxy.problem()
    if current is None or problem is None or project.proxy.whereabouts().down:
        return shut
    then = project.as_deployed(current)
    try:
        then.proxy.require()
        done = then.proxy.mend(current.deploy, then.proxy.text(current))
    except (ZddError, OSError) as error:
        found = as_zdd_error(error)
        project.events.notice(f"nginx cannot be repaired: {found.message}" + (f"; {found.hint}" if found.hint else ""))
        return shut
    project.events.notice(f"nginx: {done} ({problem.partition(':')[0]})")
    return True


def broken(project: Project) -> dict[str, str]:
    """Return the services with an instance that should serve and does not, or whose keeper is dead; in words, why."""
    states: dict[tuple[str, str], str] = {}
    for _ in project.clock.poll(_POLL, project.clock.now() + _PATIENCE, project.interrupts.check):
        states = requests.unwell(project)
        if not set(states.values()) & _PASSING:
            break
    words: dict[str, str] = {}
    for (service, _), state in states.items():
        words.setdefault(service, "nobody would start it again" if state == ORPHANED else "down")
    return words


def still_broken(project: Project) -> NeedsPerson | None:
    """Return what is still broken, with what a person must do; None if nothing is."""
    return _left(project, status(project))


def report(project: Project, mended: bool) -> int:
    """Report the outcome where no instance had to be started. Raises NeedsPerson for what is still broken."""
    now = status(project)
    if error := _left(project, now):
        project.events.send(Result(outcome="failed", cause=error.message, deploy=now.deploy, exit=error.exit_code))
        raise error
    begun = "done" if mended else "nothing was interrupted"
    if now.deploy is None:
        serves = now.notes[0] if now.state == "nothing" else f"{project.name} is down: `zddeploy up` brings it back"
    else:
        serves = f"{project.name} serves deploy {now.deploy}"
    project.events.send(Result(deploy=now.deploy, text=f"{begun}; {serves}"))
    return 0


def _left(project: Project, now: Status) -> NeedsPerson | None:
    if not now.problems:
        return None
    if project.proxy.whereabouts().down:
        hint = "zdd does not start that nginx: start it"
    else:
        hint = "put that right, then run `zddeploy`; `zddeploy logs` may tell why"
    return NeedsPerson(f"{now.project} is {now.state}: {'; '.join(now.problems)}", hint=hint)
