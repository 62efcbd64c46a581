"""Logs of what is long gone are removed; the newest stay, since no number that one has is used again."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection

from zdd.host import files, rotation
from zdd.operate import logs
from zdd.project import Site

_KEPT, _KEPT_DEPLOYS = 20, 200  # logs of each service's instances, and of deploys
_LOG = re.compile(r"(.+)-[0-9]+\.log")


def sweep(site: Site, running: Collection[str]) -> None:
    """
    Remove old logs of deploys, and of instances that are not among those `running`; rotate nginx's.

    What cannot be done is left to the next deploy.
    """
    folder = site.places.logs
    logged = {found[1] for name in os.listdir(folder) if (found := _LOG.fullmatch(name))}
    for service, names in logs.find(site.places, logged).items():
        kept = _KEPT_DEPLOYS if service == "deploy" else max(_KEPT, 5 * logs.count(site, service))
        for name in names[:-kept]:
            if name not in running:
                with contextlib.suppress(OSError):
                    files.remove(site.places.log(name))
                    files.remove(rotation.older(site.places.log(name)))
    rotation.rotate(f"{folder}/nginx.log", site.config.zdd.log_max)
