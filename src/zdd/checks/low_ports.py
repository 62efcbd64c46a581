"""Whether nginx may listen on its ports: those below 1024 are root's, and a user's who has enabled the project."""

from __future__ import annotations

import os
from collections.abc import Iterator

from zdd.claims import user_name
from zdd.finding import Finding, error
from zdd.host import interpreter, low_ports
from zdd.nginx import ports
from zdd.nginx.config import listen
from zdd.operate import boot_unit
from zdd.project import Project


def findings(project: Project) -> Iterator[Finding]:
    """Yield the ports that nginx could not listen on: nobody does yet, and who would start or reload it may not."""
    if os.geteuid() == 0 or (first := low_ports.first_free()) == 0:
        return
    if interpreter.is_script(project.proxy.binary.path):  # it may run nginx in another network namespace
        return
    if not (low := [address for address in project.proxy.listen() if listen.port(address) < first]):
        return
    nginx = project.proxy.whereabouts().master
    if low_ports.may_bind(nginx.pid if nginx else "self"):
        return
    # Where somebody listens it is our nginx, or workers whose master was killed: `ports` tells of others.
    for port in dict.fromkeys(listen.port(address) for address in low if not ports.listening(address)):
        yield error(
            f"port {port} is root's, and you are {user_name(os.geteuid())}",
            "nginx cannot listen there",
            f"{'`zddeploy down`; then, ' if nginx else ''}once: `{boot_unit.enable_command(project.config)}`: its unit "
            f"starts nginx with the right to ports below {first}; or listen on {first} or above; or have root's nginx "
            "before it (include in [nginx])",
        )
