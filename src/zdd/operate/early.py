"""An nginx started before a user's deploy, because only the project's unit may listen on its ports."""

from __future__ import annotations

import os

from zdd.host import low_ports
from zdd.nginx.config import listen
from zdd.project import Project


def is_needed(project: Project) -> bool:
    """Return whether only this process can start nginx, which does not run yet."""
    ports = [listen.port(address) for address in project.proxy.listen()]
    if os.geteuid() == 0 or not any(port < low_ports.first_free() for port in ports):
        return False
    return low_ports.may_bind() and project.proxy.whereabouts().master is None


def open_ports(project: Project) -> None:
    """Start nginx, which answers 502 until the first deploy. Raises ZddError."""
    with project.locked("zddeploy up"):
        project.proxy.require()
        project.proxy.open_ports()
    project.events.notice("nothing is deployed yet: nginx waits for the first `zddeploy`")
