"""Checks of nginx: its program, its text, its ports, and who may reload it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from zdd.checks import low_ports
from zdd.claims import user_name
from zdd.finding import Finding, error, fine, warning
from zdd.host import ipv6
from zdd.host.process import Process
from zdd.nginx import ports as ports_of_nginx
from zdd.nginx.config import lint, listen, visits
from zdd.nginx.config import version as versions
from zdd.nginx.text import own_addresses
from zdd.operate import admission, boot
from zdd.project import Project

_LED_TO = "give it a health_host, or a server block that leads to it"


def nginx(project: Project) -> Iterator[Finding]:
    """Check the program, its version and the user of its workers."""
    if not project.proxy.is_needed:
        yield fine("no service gets requests, so zdd starts no nginx")
        return
    proxy, binary = project.proxy, project.proxy.binary
    version = versions.dotted(binary.version)
    users = " and ".join(user_name(uid) for uid in proxy.worker_users())
    by_port = [name for name, served in lint.served(project.config.services).items() if not served.by_link]
    if binary.version < versions.KEEPALIVE_TIME:
        yield warning(
            f"nginx {version} cannot limit how long it keeps connections to apps",
            "so zdd makes it open one for each request, which costs about a quarter of its throughput",
            "use nginx 1.19.10 or newer",
        )
    if by_port and binary.version < versions.KEEPALIVE_MIN_TIMEOUT:
        yield warning(
            f"{', '.join(by_port)}: each deploy closes idle connections of clients",
            f"it listens on a port, so nginx is reloaded, and before 1.27.4 (this is {version}) that closes them",
            'let the app serve on the socket it inherits (socket = "fd"), or use a newer nginx',
        )
    yield from proxy.findings()
    if shut := admission.problem(project):
        yield error(shut, "every request there is answered 502", "`zddeploy up`")
    yield fine(f"nginx {version}, {binary.path}; its workers run as {users}")
    proxy.require()


def gate(project: Project) -> Iterator[Finding]:
    """Check whether the gate knows a request to each service, and will see which version has answered."""
    for name, reason in project.proxy.unasked().items():
        yield warning(
            f"{name}: no deploy can prove that visitors reach it: {reason}",
            "what is wrong between nginx and a new version would not undo the deploy",
            visits.NAMED if name in project.config.static else _LED_TO,
        )
    patience = project.proxy.read_timeout
    for app in project.config.apps.values():
        if patience and app.is_routed and app.health_timeout > patience:
            yield warning(
                f"{app.name}: health_timeout ({app.health_timeout:g} s) is longer than nginx waits ({patience:g} s)",
                "a health request that takes so long is answered 504 through nginx, and the deploy is undone",
                "raise proxy_read_timeout in [nginx]",
            )


def ports(project: Project) -> Iterator[Finding]:
    """Check whether nginx can listen on its addresses."""
    refused = list(low_ports.findings(project))
    yield from refused
    own, addresses = project.proxy.processes(), project.proxy.listen()
    taken: set[str] = set()  # the bare ports that nginx does not get, with their IPv6 or without
    for address in addresses:
        if any(f"port {address.rpartition(':')[2]} " in finding.what for finding in refused):
            continue
        found = _port(address, addresses, own, project)
        bare = address.removeprefix("[::]:")
        is_said = bare != address and bare in addresses and (found.level == "fine" or bare in taken)
        if found.level != "fine":
            taken.add(bare)
        if not is_said:
            yield found


def sudo(project: Project) -> Iterator[Finding]:
    """Check whether sudo runs the commands for nginx without a password."""
    for command in boot.sudo_commands(project.config):
        if os.geteuid() != 0 and project.commands.run(["sudo", "-n", "-l", *command]).status != 0:
            yield error(
                f"sudo does not run `{' '.join(command)}` without a password",
                "nobody can type one during a deploy",
                "`sudo zddeploy enable` writes the line for /etc/sudoers.d",
            )


def _port(address: str, addresses: Sequence[str], own: Sequence[Process], project: Project) -> Finding:
    port, key = listen.port(address), own_addresses.key_of(address, project.config, project.paths)
    if other := ports_of_nginx.taken(address, own, key):
        return error(other.words, "nginx cannot listen there", other.fix)
    if problem := ports_of_nginx.elsewhere(address, own, project.proxy.binary.path):
        return error(problem, "nginx cannot listen there", ports_of_nginx.change_listen(key))
    sockets = ports_of_nginx.listening(address)
    where = f"port {port}" + (_every(port, addresses) if address.isdecimal() else "")
    return fine(f"{where}: " + ("nginx listens" if sockets else "free"))


def _every(port: int, addresses: Sequence[str]) -> str:
    if f"[::]:{port}" in addresses:
        return " of every address of this machine"
    return " of every IPv4 address of this machine" + (", which has no IPv6" if ipv6.is_there() is False else "")
