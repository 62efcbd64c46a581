"""The context of a command of `zddeploy exec`: the folder, environment and user of a service's app."""

from __future__ import annotations

import os

from zdd.errors import UsageError
from zdd.host.command import Identity, Surroundings
from zdd.instances import environment
from zdd.keeper.record import Record
from zdd.project import Project

_TERMINAL = ("TERM", "COLUMNS", "LINES", "NO_COLOR")  # the user's terminal, which the app does not have


def surroundings(project: Project, name: str) -> Surroundings:
    """
    Return what the serving instance's app was started with. For a classic service: its folder and our environment.

    Raises UsageError if the service is unknown or does not serve.
    """
    project.config.check_names([name])
    service, current = project.config.services[name], project.tables.current()
    if service.kind == "static":
        hint = f"its files are in {project.paths.release}/{service.static}"
        raise UsageError(f"{name} is static: nginx serves it, no app of it runs", hint=hint)
    instances = current.of(name) if current else []
    if not instances:
        raise UsageError(f"no version of {name} is deployed", hint="`zddeploy` deploys one")
    if service.kind == "classic":
        return Surroundings(str(service.cwd), environment.inherited())
    record = Record.find(project.paths.record(instances[0].name))
    if record is None:
        raise UsageError(f"{instances[0].name} does not run", hint="`zddeploy restart` starts it again")
    ours = {variable: os.environ[variable] for variable in _TERMINAL if variable in os.environ}
    who = Identity(record.uid, record.gid, record.groups)
    return Surroundings(record.cwd, ours | record.env, who)
