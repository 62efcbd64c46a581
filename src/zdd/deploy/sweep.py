"""Logs of what is long gone are removed; the newest stay, since no number that one has is used again."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection

from zdd.host import files, rotation
from zdd.operate import logs
from zdd.project import Project

_KEPT, _KEPT_DEPLOYS = 20, 200  # logs of each service's instances, and of deploys
_LOG = re.compile(r"(.+)-[0-9]+\.log")


def sweep(project: Project, running: Collection[str]) -> None:
    """
    Remove old logs of deploys, and of instances that are not among those `running`; rotate nginx's.

    What cannot be done is left to the next deploy.
    """
    folder = project.paths.logs
    logged = {found[1] for name in os.listdir(folder) if (found := _LOG.fullmatch(name))}
    for service, names in logs.find(project.paths, logged).items():
        kept = _KEPT_DEPLOYS if service == "deploy" else max(_KEPT, 5 * logs.count(project, service))
        for name in names[:-kept]:
            if name not in running:
                with contextlib.suppress(OSError):
                    files.remove(project.paths.log(name))
                    files.remove(rotation.older(project.paths.log(name)))
                    files.remove(f"{folder}/{name}.jsonl")
    rotation.rotate(f"{folder}/nginx.log", project.config.zdd.log_max)
