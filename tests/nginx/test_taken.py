"""Who has a port that nginx needs: a socket of IPv6 may have it of IPv4, too (`listen [::]:80 ipv6only=off`)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.machine import free_port
from zdd.errors import UsageError
from zdd.host import ipv6
from zdd.nginx import ports

pytestmark = pytest.mark.skipif(not ipv6.is_there(), reason="this machine has no IPv6")

BOTH = "[::] and IPv4"


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listener(where: str) -> socket.socket:
    """A socket that listens here, on a port that nobody has."""
    port = free_port()  # one that the kernel gave for one family might be somebody's of the other
    if where == BOTH:
        return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    if where.startswith("::ffff:"):
        made = socket.socket(socket.AF_INET6)
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind((where, port))
        made.listen()
        return made
    return socket.create_server((where, port), family=socket.AF_INET6 if ":" in where else socket.AF_INET)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("0.0.0.0", ["", "0.0.0.0:", "127.0.0.1:", "localhost:"]),
        ("127.0.0.1", ["", "*:", "127.0.0.1:", "localhost:"]),
        ("::", ["[::]:", "[::1]:"]),
        ("::1", ["[::]:", "[::1]:"]),
        ("::ffff:127.0.0.1", ["", "127.0.0.1:"]),
        (BOTH, ["", "127.0.0.1:", "[::]:", "[::1]:"]),
    ],
)
def test_what_nginx_could_not_bind_is_taken_and_nothing_else(opened: ExitStack, theirs: str, ours: list[str]) -> None:
    port = opened.enter_context(listener(theirs)).getsockname()[1]
    known = ["", "*:", "0.0.0.0:", "127.0.0.1:", "127.0.0.2:", "[::]:", "[::1]:"]

    for host in known:
        taken = bool(ports.listening(f"{host}{port}"))
        assert taken == (not bindable(host, port)), host
    for host in ours:
        assert ports.taken(f"{host}{port}", []), host


def bindable(host: str, port: int) -> bool:
    """Tell whether nginx can listen there: it opens sockets of IPv6 for IPv6 alone."""
    is_ipv6 = host.startswith("[")
    with socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if is_ipv6:
            tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            tried.bind((host.rstrip(":").strip("[]*"), port))
            tried.listen()
        except OSError:
            return False
    return True


def said(port: int) -> dict[str, str]:
    """Both addresses of a bare port, with the key that it stands in."""
    return {str(port): "listen", f"[::]:{port}": "listen"}


def test_ipv6_that_is_taken_is_told_with_the_way_to_leave_it_out(opened: ExitStack) -> None:
    port = opened.enter_context(listener("::")).getsockname()[1]

    with pytest.raises(UsageError) as refused:
        ports.require(said(port), {("0.0.0.0", port)}, [], "/usr/sbin/nginx")

    assert str(refused.value).startswith(f"port {port} of IPv6 is taken by process {os.getpid()} (")
    assert f'change listen ("0.0.0.0:{port}" leaves IPv6 out)' in str(refused.value.hint)


def test_a_port_that_ours_has_is_not_looked_at(opened: ExitStack) -> None:
    port = opened.enter_context(listener(BOTH)).getsockname()[1]

    ports.require(said(port), {("0.0.0.0", port), ("::", port)}, [], "/usr/sbin/nginx")
