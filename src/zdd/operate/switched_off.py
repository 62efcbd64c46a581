"""Whether a project that does not run was taken down by a person, or should serve, as after a reboot."""

from __future__ import annotations

import contextlib
import json
import os

from zdd import history
from zdd.host import files, systemd
from zdd.operate import boot_unit
from zdd.project import Project


def note(project: Project) -> None:
    """Record that a person takes the project down; the caller holds the lock. A failure to write it is ignored."""
    current = project.tables.published()
    deploy = max(project.paths.last_logged_deploy(), project.tables.numbers()[-1] if current else 0)
    with contextlib.suppress(OSError):
        files.write(project.paths.down, json.dumps({"deploy": deploy}), mode=0o600)


def problem(project: Project) -> str | None:
    """Return that the project should serve though nothing of it runs; None if a person has taken it down."""
    entries = history.outcomes(project.paths.history)
    last = max((entry.deploy for entry in entries if entry.outcome == "done"), default=0)
    if not last or not os.path.exists(f"{project.paths.state}/runtime"):  # `down` removes it, that of zdd 0.1 too
        return None
    down = files.read_object(project.paths.down).get("deploy")
    if isinstance(down, int) and down >= last:
        return None
    again = ""
    if systemd.runs() and not boot_unit.is_enabled(project.name):
        again = f"; `{boot_unit.enable_command(project.config)}` does so at each boot"
    return (
        f"nothing of {project.name} runs, and nobody has taken it down: the machine has booted, or "
        f"{project.paths.runtime} was removed; `zddeploy up` brings deploy {last} back{again}"
    )
