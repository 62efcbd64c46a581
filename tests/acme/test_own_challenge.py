"""Names lead here, elsewhere or nowhere, and each is told; the servers are real."""

from __future__ import annotations

import contextlib
import errno
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machine import free_port
from zdd.acme import own_challenge
from zdd.acme.failure import Failure
from zdd.host.clock import Clock
from zdd.nginx import client

NAME = "shop.example.org"


@pytest.fixture
def leads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that the machine has for the name; whatever listens on its port 80 has nothing to do with it."""
    addresses = ["127.0.0.1"]
    monkeypatch.setattr(own_challenge, "_PORT", free_port())
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, 1, 6, "", (each, 0)) for each in addresses]
    )
    return addresses


@contextlib.contextmanager
def running(
    handler: type[http.server.BaseHTTPRequestHandler], address: str = "127.0.0.1", port: int = 0
) -> Iterator[int]:
    """A web server in a thread of its own; yields its port."""
    with http.server.ThreadingHTTPServer((address, port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def serving(folder: Path, address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A web server of the files in this folder."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with running(Handler, address, port) as door:
        yield door


def ask(folder: Path, port: int) -> Failure | None:
    return own_challenge.failure(NAME, str(folder), [port], Clock())


def test_a_name_that_leads_here_is_no_failure_and_nothing_is_left(tmp_path: Path, leads: list[str]) -> None:
    with serving(tmp_path) as port:
        assert ask(tmp_path, port) is None

    assert list((tmp_path / ".well-known/acme-challenge").iterdir()) == []


def test_an_address_that_does_not_answer_is_tolerated_beside_one_that_does(tmp_path: Path, leads: list[str]) -> None:
    leads.insert(0, "127.0.0.77")
    with serving(tmp_path) as port:
        assert ask(tmp_path, port) is None


def test_another_server_is_told_even_if_we_answer_as_well(tmp_path: Path, leads: list[str]) -> None:
    leads.append("127.0.0.77")
    (tmp_path / "other").mkdir()
    with serving(tmp_path) as port, serving(tmp_path / "other", "127.0.0.77", port):
        told = ask(tmp_path, port)

    assert told
    assert told.kind == "name"
    assert f"{NAME} leads to another server: 127.0.0.77 answers 404 on port {port}, not our file" in told.cause


def test_a_closed_port_is_told(tmp_path: Path, leads: list[str]) -> None:
    told = ask(tmp_path, free_port())

    assert told
    assert told.cause == f"{NAME} leads to 127.0.0.1, which refuses port {own_challenge._PORT}: Connection refused"
    assert "/etc/hosts" in told.hint


@contextlib.contextmanager
def redirecting(to: str) -> Iterator[int]:
    """A server that leads every request elsewhere."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(301)
            self.send_header("Location", to + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with running(Handler) as door:
        yield door


def test_redirects_are_followed_as_an_authority_does(tmp_path: Path, leads: list[str]) -> None:
    with serving(tmp_path) as port, redirecting(f"http://{NAME}:{port}") as door:
        assert ask(tmp_path, door) is None
    with serving(tmp_path) as port, redirecting(f"http://other.example.org:{port}") as door:
        assert ask(tmp_path, door) is None


@pytest.mark.parametrize("to", ["ftp://x", "http://[", "//", "http://shop.example.org:1"])
def test_a_redirect_that_leads_nowhere_is_told(tmp_path: Path, leads: list[str], to: str) -> None:
    with redirecting(to) as door:
        told = ask(tmp_path, door)

    assert told
    assert f"answers 301 to {to}" in told.cause


def test_a_redirect_in_a_circle_comes_to_an_end(tmp_path: Path, leads: list[str]) -> None:
    with redirecting("") as door:
        told = ask(tmp_path, door)

    assert told
    assert "answers 301" in told.cause


def test_behind_the_proxy_protocol_the_name_must_lead_to_the_proxy(tmp_path: Path, leads: list[str]) -> None:
    told = own_challenge.failure(NAME, str(tmp_path), [free_port()], Clock(), proxy_protocol=True)

    assert told
    assert f"with proxy_protocol {NAME} must name the proxy" in told.hint


def test_a_name_without_an_address_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    told = ask(tmp_path, free_port())

    assert told
    assert told.cause == f"{NAME} has no address: Name or service not known"


def test_a_dns_that_does_not_answer_is_not_laid_to_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", silent)

    told = ask(tmp_path, free_port())

    assert told
    assert told.cause == f"the DNS does not answer for {NAME}: Temporary failure in name resolution"
    assert "/etc/resolv.conf" in told.hint
    assert "AAAA" not in told.hint


def test_an_address_of_ipv6_that_this_machine_has_no_way_to_is_told(
    tmp_path: Path, leads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

    leads[:] = ["2001:db8::7"]
    monkeypatch.setattr(client, "ask", unreachable)

    told = ask(tmp_path, free_port())

    assert told
    assert told.cause == f"{NAME} leads to 2001:db8::7, which this machine has no way to: Network is unreachable"
    assert f"give {NAME} an A record, or this machine IPv6" in told.hint


def test_what_does_not_speak_http_is_told(tmp_path: Path, leads: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_greet, args=(server,))
        thread.start()
        told = ask(tmp_path, server.getsockname()[1])
        thread.join()

    assert told
    assert "does not speak HTTP" in told.cause


def _greet(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def test_the_file_can_be_read_by_nginx_whatever_the_umask(tmp_path: Path, leads: list[str]) -> None:
    before = os.umask(0o077)
    try:
        with own_challenge.file(str(tmp_path)) as (path, _):
            assert os.stat(f"{tmp_path}{path}").st_mode & 0o777 == 0o644
            assert os.stat(f"{tmp_path}/.well-known/acme-challenge").st_mode & 0o777 == 0o755
    finally:
        os.umask(before)
