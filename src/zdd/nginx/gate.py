"""The gate: one request to each service through nginx, as a client would send it, before the commit."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Sequence

from zdd.conf import hosts
from zdd.conf.schema import Config, Service
from zdd.errors import DeployFailed
from zdd.host import files
from zdd.host.clock import Clock
from zdd.instances.health import request
from zdd.instances.name import service_of
from zdd.keeper import client
from zdd.nginx.config.listen import Address, Visit
from zdd.paths import Paths
from zdd.routing.manifest import Manifest

_UNREACHABLE = (502, 504)  # nginx's own answers when it cannot reach an instance
_TIMEOUT = 20.0
_AGAIN, _OTHERS, _SURE = 0.004, 4, 2
_POOLED = 2.2  # an upstream's connection ends 1 s after its first request, with the next one, or when 1 s unused


class Unreachable(DeployFailed):
    """The instance is healthy, but nginx does not reach it; `output` is what nginx logged."""

    def __init__(self, message: str, output: list[str]) -> None:
        super().__init__(
            message, hint="nginx must be able to reach the socket: its worker user, its routes, its network namespace"
        )
        self.output = output


def send(paths: Paths, target: Manifest, visits: Sequence[Visit], log: str, clock: Clock) -> None:
    """
    Send these requests. nginx writes to `log` why it cannot reach a service. Raises Unreachable.

    While nginx's pool has connections to the old version, an answer may come from there, which proves nothing. Then the
    request is sent again, behind others that occupy the pool, until nginx keeps connections to the new version.
    """
    left_out = _left_out(paths, target) if visits else {}
    for visit in visits:
        old, new = (
            left_out.get(visit.service, ()),
            [instance.name for instance in target.of(visit.service) if instance.has_slot],
        )
        until, since = clock.now() + _POOLED, files.size(log)
        others = sure = 0
        for _ in clock.poll(_AGAIN, until):
            pooled = bool(new) and clock.now() < until and _connected(paths, old)
            _send_one(visit, log, clock, others)
            if not pooled:
                break
            sure = sure + 1 if _connected(paths, new) and files.size(log) == since else 0
            if sure == _SURE:
                break
            others = _OTHERS


def _send_one(visit: Visit, log: str, clock: Clock, others: int) -> None:
    since = files.size(log)
    try:
        status = ask(visit, clock, others).status
        failure = f"answers {status}" if status in _UNREACHABLE else None
    except (OSError, request.NotHttp) as error:
        failure = f"does not answer on {visit.address[0]}:{visit.address[1]} ({error})"
    if failure:
        message = f"{visit.service}: healthy, but nginx {failure} for GET {visit.path} with Host {visit.host}"
        raise Unreachable(message, files.tail(log, 5, since))


def _left_out(paths: Paths, target: Manifest) -> dict[str, list[str]]:
    """Return the running instances that are not in the table, by service."""
    left_out: dict[str, list[str]] = {}
    for entry in os.listdir(paths.control):
        name, _, kind = entry.rpartition(".")
        if kind == "sock" and name not in target.instances:
            left_out.setdefault(service_of(name), []).append(name)
    return left_out


def _connected(paths: Paths, names: Sequence[str]) -> bool:
    """Return whether anybody is connected to one of these instances."""
    for name in names:
        try:
            if client.ask(paths.control_socket(name), "status")["connections"]:
                return True
        except client.Gone:
            continue
    return False


def visits(config: Config, target: Manifest, address: Address) -> list[Visit]:
    """Return the requests to send there; none for workers, and for classic services only with a health_path."""
    requests = []
    for name in target.services():
        service = config.services[name]
        if service.kind == "classic":
            if service.health_path:
                requests.append(Visit(name, address, service.health_host or "localhost", service.health_path))
        elif not service.is_worker:
            host = service.health_host or hosts.asked(service.host or config.nginx.server_name) or "localhost"
            requests.append(Visit(name, address, host, _path(service)))
    return requests


def ask(visit: Visit, clock: Clock, others: int = 0) -> request.Answer:
    """Send one request, behind others that only occupy connections, and return its answer. Raises OSError, NotHttp."""
    until = clock.now() + _TIMEOUT
    with contextlib.ExitStack() as stack:
        for _ in range(others):
            request.send(stack.enter_context(_connect(visit)), visit.path, visit.host)
        return request.ask(_connect(visit), visit.path, visit.host, lambda: until - clock.now(), lambda: None)


def _connect(visit: Visit) -> socket.socket:
    connection = socket.create_connection(visit.address, _TIMEOUT)
    return _without_doubt(connection, visit.host) if visit.tls else connection


def _without_doubt(connection: socket.socket, host: str) -> socket.socket:
    """Speak TLS to the nginx of this machine, whatever certificate it has."""
    import ssl  # here, as its import takes longer than all the rest

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=host)


def _path(service: Service) -> str:
    """Return a path that nginx routes to the service: the health path visit it is below its route."""
    if service.health_path and service.health_path.startswith(service.path):
        return service.health_path
    return _encoded(service.path)


def _encoded(path: str) -> str:
    """Return the path as a request spells it; nginx decodes it before it compares."""
    if re.fullmatch(r"[A-Za-z0-9._~/!$&'()*+,;=:@-]+", path):
        return path
    from urllib.parse import quote  # here, because few have such a path

    return quote(path, safe="/!$&'()*+,;=:@")
