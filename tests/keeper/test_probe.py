"""The health request, to servers that answer all sorts of things."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.keeper.loop import Deadlines, Loop
from zdd.keeper.probe import Probe

PATIENCE = 30.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
        made.listen(1)
        made.settimeout(PATIENCE)
        yield made


class Asked:
    def __init__(self, address: str | int) -> None:
        self.loop = Loop(Deadlines(time.monotonic))
        self.probe = Probe(self.loop, "/health", "example.org")
        self.said: list[int | None] = []
        self.probe.ask(address, self.said.append)

    def turn(self) -> None:
        self.loop.deadlines.at(PATIENCE, lambda: None)
        self.loop.turn()


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ([b"HTTP/1.1 200 OK\r\n\r\n"], 200),
        ([b"HTTP/1.0 503", b" Busy\r\n\r\n"], 503),
        ([b"HTT", b"P/1.1 4", b"04 Not Found\r\n\r\n", b"a body"], 404),
        ([b"220 mail.example.org ESMTP\r\n"], 0),
        ([b"?"], 0),
        ([b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\x40\0"], 200),  # HTTP/2: SETTINGS
        ([b"HTTP/1.1 abc\r\n"], 0),
        ([], None),
    ],
)
def test_the_status_is_told_once_and_the_answer_read_to_its_end(
    server: socket.socket, pieces: list[bytes], status: int | None
) -> None:
    asked = Asked(server.getsockname())
    asked.turn()
    with server.accept()[0] as connection:
        connection.settimeout(PATIENCE)
        assert connection.recv(1000).startswith(b"GET /health HTTP/1.0\r\nHost: example.org\r\n")
        for piece in pieces:
            connection.sendall(piece)
            asked.turn()
        connection.shutdown(socket.SHUT_WR)
        asked.turn()

        assert connection.recv(1000) == b""  # closed by now, not before
    assert asked.said == [status]


def test_a_socket_nobody_listens_on_is_told_at_once(tmp_path: Path) -> None:
    assert Asked(str(tmp_path / "none")).said == [None]


def test_a_full_queue_is_no_answer(server: socket.socket) -> None:
    server.listen(0)
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(server.getsockname())

        assert Asked(server.getsockname()).said == [None]


def test_a_port_is_asked_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = Asked(server.getsockname()[1])
        asked.turn()
        with server.accept()[0] as connection:
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            asked.turn()
    assert asked.said == [204]
    asked.probe.cancel()


def test_a_refusing_port_is_no_answer() -> None:
    with socket.socket() as bound:  # so nobody else can be given the port
        bound.bind(("127.0.0.1", 0))
        asked = Asked(bound.getsockname()[1])
        while not asked.said:
            asked.turn()

    assert asked.said == [None]


def test_what_is_cancelled_is_not_told(server: socket.socket) -> None:
    asked = Asked(server.getsockname())
    asked.turn()
    with server.accept()[0] as connection:
        asked.probe.cancel()
        connection.recv(1000)

        assert connection.recv(1000) == b""
    assert asked.said == []


@pytest.mark.parametrize(
    ("answer", "status"), [(b"\x01\x0a\0\0\0\0\0\0", 200), (b"HTTP/1.1 400 Bad Request\r\n\r\n", None), (b"", None)]
)
def test_what_does_not_answer_http_is_asked_in_fastcgi_and_in_http_again(
    server: socket.socket, answer: bytes, status: int | None
) -> None:
    """php-fpm closes the connection of an HTTP request; whoever answers HTTP is never taken for it."""
    asked = Asked(server.getsockname())
    requests = []
    for reply in (b"", answer, b"HTTP/1.1 200 OK\r\n\r\n"):
        asked.turn()
        with server.accept()[0] as connection:
            connection.settimeout(PATIENCE)
            requests.append(connection.recv(1000)[:4])
            connection.sendall(reply)
            before = len(asked.said)
            if reply:
                asked.turn()
        while len(asked.said) == before:
            asked.turn()
        asked.probe.ask(server.getsockname(), asked.said.append)
    asked.probe.cancel()

    assert requests == [b"GET ", b"\x01\x09\0\0", b"GET "]
    assert asked.said == [None, status, 200]


def test_after_a_request_in_fastcgi_that_is_never_answered_the_next_is_in_http(server: socket.socket) -> None:
    """An app in Python whose thread dies of such a request may keep the connection open for ever."""
    asked = Asked(server.getsockname())
    requests, kept = [], []
    for number in range(3):
        asked.turn()
        connection = server.accept()[0]
        kept.append(connection)
        connection.settimeout(PATIENCE)
        requests.append(connection.recv(1000)[:4])
        if number == 0:
            connection.close()
            while not asked.said:
                asked.turn()
        asked.probe.ask(server.getsockname(), asked.said.append)
    asked.probe.cancel()
    for connection in kept:
        connection.close()

    assert requests == [b"GET ", b"\x01\x09\0\0", b"GET "]


def test_a_refused_connection_says_nothing_about_the_protocol() -> None:
    with socket.socket() as app:
        app.settimeout(PATIENCE)
        app.bind(("127.0.0.1", 0))
        port = app.getsockname()[1]
        asked = Asked(port)
        while not asked.said:
            asked.turn()
        app.listen(1)
        asked.probe.ask(port, asked.said.append)
        asked.turn()
        with app.accept()[0] as connection:
            assert connection.recv(1000).startswith(b"GET ")
        asked.probe.cancel()


def test_an_answer_without_an_end_is_left(server: socket.socket) -> None:
    asked = Asked(server.getsockname())
    asked.turn()
    with server.accept()[0] as connection:
        connection.settimeout(0.05)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        asked.turn()
        sent = 0
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while sent < 1 << 26:
                with contextlib.suppress(TimeoutError):
                    sent += connection.send(b"x" * 65536)
                asked.turn()

    assert sent < 1 << 24
    assert asked.said == [200]


def test_an_answer_that_does_not_go_on_is_left(server: socket.socket) -> None:
    now = [0.0]
    loop = Loop(Deadlines(lambda: now[0]))
    said: list[int | None] = []
    probe = Probe(loop, "/", "localhost")
    probe.ask(server.getsockname(), said.append)
    loop.turn()
    with server.accept()[0] as connection:
        connection.settimeout(PATIENCE)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n")
        while not said:
            loop.turn()
        now[0] += 60.0
        loop.deadlines.run()

        while connection.recv(1000):
            pass  # the request; then the end
    assert said == [200]
