"""Load over TLS: a connection is kept as one without, and what ends it is told as well."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.certificates import Authority
from zdd.load import Kind, Load, Report, Spec

from .server import Behaviour, Server, every, reset, say


class SecureServer(Server):
    """The same little server behind TLS."""

    def __init__(self, behave: Behaviour, folder: Path) -> None:
        issued = Authority().issue(folder, "shop.test")
        self.settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.settings.load_cert_chain(issued.certificate, issued.key)
        self.names: set[str | None] = set()
        self.settings.sni_callback = lambda _, name, __: self.names.add(name)
        super().__init__(behave)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), self.settings.wrap_socket(connection, server_side=True) as secured:
            super()._serve(secured)


def load(target: str, *kinds: Kind, connections: int = 4, rate: float = 400) -> Report:
    spec = Spec(
        target, kinds or (Kind(),), rate=rate, seconds=0.5, connections=connections, host="shop.test:443", tls=True
    )
    with Load(spec) as running:
        return running.wait()


def test_connections_are_kept_and_used_again(tmp_path: Path) -> None:
    with SecureServer(lambda connection, _: say(connection), tmp_path) as server:
        report = load(server.target)

    assert (report.ok, report.requests, report.reconnects) == (200, 200, 0)
    assert len(server.connections) == 4
    assert server.names == {"shop.test"}


def test_bodies_of_many_records_arrive_whole_both_ways(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n" + b"x" * 500_000
    with SecureServer(lambda connection, _: say(connection, answer), tmp_path) as server:
        report = load(server.target, Kind("POST", "/", body=300_000), rate=40)

    assert (report.ok, report.requests, report.reconnects) == (20, 20, 0)


def test_an_idle_connection_that_the_server_closes_is_a_reconnect(tmp_path: Path) -> None:
    with SecureServer(lambda connection, _: not say(connection), tmp_path) as server:
        report = load(server.target, connections=20, rate=40)

    assert (report.ok, report.total_failed) == (20, 0)
    assert 0 < report.reconnected["idle"] == report.reconnects


def test_a_reset_and_a_half_answer_are_failures(tmp_path: Path) -> None:
    def half(connection: socket.socket) -> bool:
        return not say(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf")

    for special, outcome in ((reset, "reset"), (half, "cut")):
        with SecureServer(every(10, special), tmp_path) as server:
            report = load(server.target)

        assert report.total_failed == report.failed[outcome] == 20
        assert report.ok == 180


def test_a_server_that_speaks_no_tls_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        with Load(Spec(target, rate=20, seconds=0.5, tls=True)) as running:
            for _ in range(10):
                with listener.accept()[0] as connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            report = running.wait()

    assert report.failed == {"reset": 10}
    assert "no handshake: " in report.failures[0].detail


def test_a_handshake_that_never_ends_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        spec = Spec(f"127.0.0.1:{silent.getsockname()[1]}", rate=10, seconds=0.2, timeout=0.3, tls=True)
        begun = time.monotonic()
        with Load(spec) as running:
            report = running.wait()

    assert report.failed == {"timeout": 2}
    assert report.failures[0].detail == "not connected"
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.test", ("shop.test:443", "/", True)),
        ("https://127.0.0.1:8443/a?b", ("127.0.0.1:8443", "/a?b", True)),
        ("http://shop.test/", ("shop.test:80", "/", False)),
    ],
)
def test_a_url_says_whether_it_means_tls(url: str, expected: tuple[str, str, bool]) -> None:
    assert (*Spec.split(url), Spec.is_tls(url)) == expected


def test_the_usual_port_is_in_no_host_header() -> None:
    assert Spec("shop.test:443", tls=True).host_header == "shop.test"
    assert Spec("shop.test:443").host_header == "shop.test:443"
    assert Spec("shop.test:80", tls=True).host_header == "shop.test:80"
