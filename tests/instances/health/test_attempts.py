"""Attempts to find an instance healthy: none that is bound to be cut off, and what is said while one takes long."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from zdd.conf.services import RunService
from zdd.host.clock import Clock
from zdd.instances.health import attempts
from zdd.instances.health.request import Address
from zdd.instances.health.verdict import Verdict

DEADLINE = 5.0


class Pushed(Clock):
    """Only sleeps, and whoever pushes it, let time go by."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
        made.listen()
        yield made
        made.shutdown(socket.SHUT_RDWR)


def test_no_request_begins_at_the_deadline_since_the_app_would_log_that_we_hang_up(listener: socket.socket) -> None:
    clock, asked = Pushed(), list[float]()

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                with listener.accept()[0] as connection:
                    asked.append(clock.now())
                    connection.recv(999)
                    connection.sendall(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    verdicts = await_healthy(listener.getsockname(), "unix", clock)

    assert {verdict.words for verdict in verdicts} == {"GET /health was answered 503, wanted 200-299"}
    assert DEADLINE - 1 < asked[-1] < DEADLINE
    assert clock.now() >= DEADLINE


@pytest.mark.parametrize("kind", ["fd", "unix"])
def test_a_request_that_waits_in_the_queue_is_told_as_such(listener: socket.socket, kind: str) -> None:
    path, clock = listener.getsockname(), Pushed()

    verdicts = await_healthy(path, kind, clock, lambda: clock.sleep(0.2))

    assert {verdict.words for verdict in verdicts} == {f"nothing accepts connections on {path}"}
    assert not any(verdict.taken for verdict in verdicts)


@pytest.mark.parametrize("kind", ["fd", "unix"])
def test_a_request_that_the_app_has_accepted_is_told_before_its_time_is_up(listener: socket.socket, kind: str) -> None:
    accepted, clock = list[socket.socket](), Pushed()

    def interrupt() -> None:
        if not accepted:
            accepted.append(listener.accept()[0])
        clock.sleep(0.2)

    verdicts = await_healthy(listener.getsockname(), kind, clock, interrupt, health_timeout=3.0)
    accepted[0].close()

    assert verdicts[0].words == "GET /health was accepted, and is not answered yet"
    assert verdicts[1].words.startswith("GET /health was accepted, but not answered within ")


def test_of_a_port_it_is_not_known_whether_the_app_has_accepted() -> None:
    clock = Pushed()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        verdicts = await_healthy(listener.getsockname()[1], "tcp", clock, lambda: clock.sleep(0.2))

    assert verdicts[0].words == "GET /health was sent, and is not answered yet"
    assert verdicts[-1].words.startswith("GET /health was sent, but not answered within ")


def await_healthy(
    address: Address,
    kind: str,
    clock: Pushed,
    interrupt: Callable[[], None] = lambda: None,
    health_timeout: float = 60.0,
) -> list[Verdict]:
    """Wait in vain; return what was told meanwhile."""
    service = RunService(name="web", run="app", socket=kind, health_path="/health", health_timeout=health_timeout)  # type: ignore[arg-type]
    told: list[Verdict] = []
    assert not attempts.await_healthy(address, service, DEADLINE, clock, interrupt, told.append).healthy
    return told
