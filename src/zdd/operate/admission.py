"""Whether nginx's workers may connect to the instances: a change of nginx's configuration may change their user."""

from __future__ import annotations

from zdd.claims import user_name
from zdd.host import namespaces
from zdd.project import Project


def problem(project: Project) -> str | None:
    """Return which serving instances the running workers cannot connect to; None if there are none."""
    shut = _shut(project)
    return f"{_names(project)}, who cannot connect to {', '.join(shut)}: `zddeploy up` gives access" if shut else None


def mend(project: Project) -> bool:
    """Let the running workers connect to all instances that serve, or are kept warm; return whether one could not."""
    if shut := _shut(project, others=True):
        for name in shut:
            project.instances.drivers.of(name).admit(project.proxy.worker_users())
        project.events.notice(f"{_names(project)}, who could not connect to {', '.join(shut)}; now they can")
        return True
    return False


def _shut(project: Project, others: bool = False) -> list[str]:
    """Return the instances of the table in force that are closed to nginx; with `others` also warm ones."""
    current = project.tables.current()
    users = [uid for uid in project.proxy.whereabouts().users() if namespaces.is_mapped(uid)] if current else []
    if current is None or not users:
        return []
    drivers = project.instances.drivers
    names = [name for name, instance in current.instances.items() if instance.has_slot]
    if others:
        running = project.instances.running([name for name in drivers.names() if name not in current.instances])
        names = sorted([*names, *(name for name, one in running.items() if one.state == "warm" and not one.classic)])
    return drivers.closed(names, users)


def _names(project: Project) -> str:
    return f"nginx's workers run as {' and '.join(map(user_name, project.proxy.whereabouts().users()))}"
