"""What instances use: memory, CPU time, connections."""

from __future__ import annotations

from typing import NamedTuple

from zdd.host import namespaces, sock_diag, usage
from zdd.instances.state import InstanceState
from zdd.keeper.listener import count_connections
from zdd.keeper.record import Record
from zdd.project import Project


class Use(NamedTuple):
    """What an instance uses: memory and CPU time of its process tree, connections of nginx wherever that runs."""

    memory_bytes: int | None
    cpu_seconds: float | None
    connections: int | None


def use_of(project: Project, running: dict[str, InstanceState]) -> dict[str, Use]:
    """Return what each instance uses, from one scan of processes and sockets for all of them."""
    used = usage.use_of_trees([instance.main.pid for instance in running.values() if instance.main])
    counts = sock_diag.connections_to_files()
    nginx = project.proxy.whereabouts().likely
    elsewhere = nginx is not None and namespaces.shares_network(nginx.pid) is False
    use = {}
    for name, instance in running.items():
        keep = project.paths.keep(name)
        file = sock_diag.file_of(keep)
        connections = counts.get(file) if file else None
        if instance.port:
            connections = sock_diag.connections_to_port(instance.port)
        elif file and elsewhere:
            connections = count_connections(Record.find(project.paths.record(name)), keep)
        memory, cpu = used.get(instance.main.pid, (None, None)) if instance.main else (None, None)
        use[name] = Use(memory, cpu, connections)
    return use
