"""Units of systemd that `zddeploy enable` has written: where they are, whether they are enabled, what they start."""

from __future__ import annotations

import os
import re
import shlex

from zdd.host import files, systemd

FOLDER = "/etc/systemd/system"


def path(project: str, what: str, kind: str) -> str:
    """Return the path of a unit; `kind` is service or timer."""
    return f"{FOLDER}/{systemd.unit_name(project, what)}.{kind}"


def is_timer_enabled(project: str, what: str) -> bool:
    """Return whether systemd starts the timer at boot."""
    return os.path.lexists(f"{FOLDER}/timers.target.wants/{os.path.basename(path(project, what, 'timer'))}")


def is_timer_for(project: str, what: str, conf: str) -> bool:
    """Return whether systemd runs the timer for this configuration file: another project may have the same name."""
    if not (systemd.runs() and is_timer_enabled(project, what)):
        return False
    found = started(path(project, what, "service"))
    return found is not None and found[1] == conf


def started(unit: str) -> tuple[str, str] | None:
    """Return the user and the configuration file of the command in this unit; None if it is missing or not ours."""
    try:
        settings = dict(re.findall(r"(?m)^(\w+)=(.*)$", files.read(unit) or ""))
        command = shlex.split(settings["ExecStart"])
        return settings["User"], command[command.index("-c") + 1].replace("%%", "%").replace("$$", "$")
    except (OSError, ValueError, LookupError):
        return None
