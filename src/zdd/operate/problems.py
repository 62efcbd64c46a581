"""What is wrong with a project now, for its status: a sentence for each problem."""

from __future__ import annotations

from collections.abc import Iterator

from zdd import living, usable
from zdd.errors import counted
from zdd.instances.state import ORPHANED, InstanceState
from zdd.operate import admission, static_sites, switched_off
from zdd.project import Project
from zdd.routing.manifest import Manifest


def problems(
    project: Project, current: Manifest | None, running: dict[str, InstanceState], interrupted: bool
) -> Iterator[str]:
    """Yield a sentence for each thing that is wrong, with what happens next or what to do."""
    if interrupted:
        yield "a deploy was interrupted: the next zddeploy, or `zddeploy recover`, finishes or undoes it"
    if current is None:
        hidden = usable.private(project.paths.runtime)
        gone = f"{hidden.message}; {hidden.hint}" if hidden else switched_off.problem(project)
        yield from _lost(project) or filter(None, [gone])
        return
    if problem := project.proxy.problem():
        yield problem
    if shut := admission.problem(project):
        yield shut
    yield from static_sites.problems(project, current)
    for name, left in running.items():
        if left.state == ORPHANED and name not in current.instances:
            yield f"the keeper of {name} has died; its app runs on, and nothing leads to it: `zddeploy recover` ends it"
    for name in current.instances:
        instance = running.get(name)
        if instance is None or instance.state == "dead":
            yield f"{name} should serve but does not run: `zddeploy restart` starts it again"
        elif instance.state == ORPHANED:
            yield f"the keeper of {name} has died; its app still serves, and the next deploy replaces it"
        elif instance.state not in ("serving", "warm"):
            yield _not_serving(instance)
        elif instance.stalled is not None:
            yield _stalled(instance)


def _not_serving(instance: InstanceState) -> str:
    """Say what is wrong with an instance that should serve, and what happens next."""
    why = [instance.exit] if instance.exit else []
    if instance.restart_in is not None:
        why.append(f"the next start is in {instance.restart_in:.0f} s")
    reason = f" ({'; '.join(why)})" if why else ""
    if instance.state == "down":
        return (
            f"{instance.name} is DOWN: its app has not answered for hold_max, so connections are refused{reason}; "
            "zdd keeps trying to start it, and `zddeploy recover` starts another instance"
        )
    return f"{instance.name} should serve but is {instance.state}{reason}"


def _stalled(instance: InstanceState) -> str:
    """Say that the app of an instance does not accept what waits for it, and what happens next."""
    waiting = f"{counted(instance.waiting, 'connection')} {'waits' if instance.waiting == 1 else 'wait'}"
    what = f"{waiting} and {instance.name} has accepted none for {instance.stalled:.0f} s"
    return f"{what}: it is busy, or hangs; if it serves nobody and answers no health request, it is started again"


def _lost(project: Project) -> list[str]:
    """Say so if `current` leads nowhere: nginx then answers every request with 502."""
    lost = None if living.is_stale(project.paths) else project.tables.astray()
    problem = f"the routing table in force ({lost}) is missing, so nothing serves: `zddeploy recover` repairs it"
    return [problem] if lost else []
