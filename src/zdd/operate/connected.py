"""How many connections each instance has, counted where nginx is."""

from __future__ import annotations

from zdd.host import namespaces, sock_diag
from zdd.host.netlink import Unavailable
from zdd.instances import orphan
from zdd.instances.state import InstanceState
from zdd.project import Project


def connections(project: Project, running: dict[str, InstanceState]) -> dict[str, int | None]:
    """Return the connections of each instance, None if they are unknown, from one scan of sockets for all of them."""
    try:
        counts = sock_diag.connections_to_files()
    except Unavailable:
        return dict.fromkeys(running)
    nginx = project.proxy.whereabouts().likely
    elsewhere = nginx is not None and namespaces.shares_network(nginx.pid) is False
    found: dict[str, int | None] = {}
    for name, instance in running.items():
        file = sock_diag.file_of(project.paths.keep(name))
        if instance.port:
            found[name] = sock_diag.connections_to_port(instance.port)
        elif file and elsewhere:
            found[name] = orphan.connections(project.paths, name)
        else:
            found[name] = counts.get(file) if file else None
    return found


def obstacle() -> Unavailable | None:
    """Return why the kernel does not show sockets to us; None if it does."""
    try:
        sock_diag.listening_files()
    except Unavailable as error:
        return error
    return None
