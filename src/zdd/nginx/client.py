"""A client of nginx on this machine: it asks as a visitor would, with TLS or the PROXY protocol if wanted."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from zdd.host.clock import Clock
from zdd.host.light import socket
from zdd.instances.health import grpc, request
from zdd.instances.health.request import Answer, NotHttp, Request
from zdd.nginx.config.listen import Visit
from zdd.nginx.config.mark import HEADER, REQUEST_HEADER, Mark, Seen

TIMEOUT = 20.0  # seconds, a limit for answers of services that have none of their own, and of instances asked directly
_PROXIED = b"PROXY UNKNOWN\r\n"  # the PROXY protocol's words for: nobody knows where this client comes from
_CALL = {"Content-Type": "application/grpc", "TE": "trailers"}
_SOON = 2.0  # seconds in which nginx answers a request by itself


def ask(
    visit: Visit,
    clock: Clock,
    timeout: float = TIMEOUT,
    more: Mapping[str, str] = {},
    method: str | None = None,
    interrupt: Callable[[], None] = lambda: None,
) -> Answer:
    """
    Send the visit's request with these further headers, or another `method`; `interrupt` may raise.

    Raises OSError (TimeoutError included) and NotHttp.
    """
    until = clock.now() + timeout
    if visit.grpc and not method:
        wanted = Request(visit.path, visit.host, {**_CALL, **more}, "POST", grpc.NO_MESSAGE)
    else:
        wanted = Request(visit.path, visit.host, more, method or "GET")
    return request.ask(_connect(visit, timeout, interrupt), wanted, lambda: until - clock.now(), interrupt)


def fetch(
    visit: Visit,
    clock: Clock,
    timeout: float = TIMEOUT,
    more: Mapping[str, str] = {},
    interrupt: Callable[[], None] = lambda: None,
) -> tuple[Answer, bytes]:
    """Do the same with GET, and return the whole body, too."""
    until = clock.now() + timeout
    wanted = Request(visit.path, visit.host, more)
    return request.fetch(_connect(visit, timeout, interrupt), wanted, lambda: until - clock.now(), interrupt)


def seen(visit: Visit, mark: Mark, clock: Clock) -> Seen | None:
    """
    Return the mark by which nginx says which text it runs; None if no answer shows it.

    The request is one that nginx itself always answers, with 405, before it looks for a location: TRACE. So it reaches
    no app, and the server's own headers are in the answer, not those of a location.
    """
    try:
        answer = ask(visit, clock, _SOON, asking(mark), "TRACE")
    except (OSError, NotHttp):
        return None
    return mark.read(answer.all(HEADER))


def asking(mark: Mark) -> dict[str, str]:
    """Return the header that makes nginx show the mark."""
    return {REQUEST_HEADER: mark.secret}


def _connect(visit: Visit, timeout: float, interrupt: Callable[[], None]) -> socket.socket:
    connection = request.connect(visit.address if visit.unix is None else visit.unix, timeout, interrupt)
    try:
        if visit.proxy_protocol:
            connection.sendall(_PROXIED)
        return _without_doubt(connection, visit.host) if visit.tls else connection
    except BaseException:
        connection.close()
        raise


def _without_doubt(connection: socket.socket, host: str) -> socket.socket:
    """Speak TLS to the nginx of this machine, whatever certificate it has."""
    import ssl  # here, as its import takes longer than all the rest

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=_name(host))


def _name(host: str) -> str:
    """
    Return the name in a Host header, which TLS asks for without the port.

    >>> _name("shop.test:8443"), _name("[::1]:443"), _name("shop.test")
    ('shop.test', '::1', 'shop.test')
    """
    return re.sub(r":[0-9]*$", "", host).strip("[]")
