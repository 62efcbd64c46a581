"""The work of the timer that `enable` writes for a project without keepers: see rotation_timer.py."""

from __future__ import annotations

from zdd.events import Proxy
from zdd.host import files, rotation
from zdd.nginx import own_log
from zdd.operate import access_files
from zdd.project import Project
from zdd.routing.manifest import Manifest

COMMAND = "zddeploy logs --rotate"

_PATIENCE = 5.0  # seconds for nginx's workers, to open the new file
_PAUSE = 0.1  # seconds between looks at what nginx has opened
_LOCK_PATIENCE = 60.0  # seconds for a deploy that goes on


def run(project: Project) -> None:
    """
    Rotate the logs of zdd's own nginx; make it log requests exactly where something rotates the log.

    Raises DeployFailed if nginx refuses the text, and Locked.
    """
    rotation.rotate(project.paths.nginx_log, project.config.zdd.log_max)
    until = project.clock.now() + _PATIENCE
    while not access_files.tend(project) and project.clock.now() < until:
        project.clock.sleep(_PAUSE)
    if _current(project):
        changing = project.patient(_LOCK_PATIENCE)
        with changing.locked(COMMAND):
            if current := _current(changing):  # a deploy may have done it meanwhile
                _bring_to_text(changing, current)


def _current(project: Project) -> Manifest | None:
    """Return the table in force, if nginx runs a text that logs requests where none should, or the other way round."""
    current = project.tables.current()
    if current is None or project.proxy.whereabouts().master is None or project.tables.unfinished():
        return None
    text = files.read(project.paths.nginx_conf) or ""
    is_due = own_log.path_of(project.as_deployed(current).config, project.paths) is not None
    return current if own_log.is_in(text, project.paths) != is_due else None


def _bring_to_text(project: Project, current: Manifest) -> None:
    serving = project.as_deployed(current)
    done = serving.proxy.mend(current.deploy, serving.proxy.text(current))
    project.events.send(Proxy(subject="nginx", text=done))
