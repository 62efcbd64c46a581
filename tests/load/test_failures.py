"""The calibration: a server fails a known number of requests in a known way, and the report says exactly that."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from tests.machine import has_read, patiently
from zdd.load import Kind, Load, Report, Spec

from .server import OK, Server, every, reset, say

GET = Kind()
ERROR = b"HTTP/1.1 %d Whatever\r\nContent-Length: 4\r\n\r\nbody"
CLOSING = ERROR.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


def then_close(answer: bytes) -> Callable[[socket.socket], bool]:
    return lambda connection: not say(connection, answer)


def then_reset(answer: bytes) -> Callable[[socket.socket], bool]:
    def special(connection: socket.socket) -> bool:
        say(connection, answer)
        while not has_read(connection.getpeername(), connection.getsockname()):
            time.sleep(0.001)  # a reset overtakes what has not been read yet: then no byte of the answer arrived
        return reset(connection)

    return special


def load(target: str, kind: Kind = GET, rate: float = 2000, seconds: float = 0.1, timeout: float = 20) -> Report:
    with Load(Spec(target, (kind,), rate=rate, seconds=seconds, connections=8, timeout=timeout)) as running:
        return running.wait()


@pytest.mark.parametrize(
    ("outcome", "special"),
    [
        pytest.param("reset", reset, id="reset-by-rst"),
        pytest.param("reset", then_close(b""), id="reset-by-fin"),
        pytest.param("cut", then_close(OK[:20]), id="cut-in-the-head"),
        pytest.param("cut", then_close(OK[:-1]), id="cut-in-the-body"),
        pytest.param("cut", then_reset(OK[:-1]), id="cut-by-rst"),
        pytest.param("cut", then_close(CHUNKS[:-5]), id="cut-in-a-chunk"),
        pytest.param("cut", then_close(CHUNKS), id="cut-before-the-last-chunk"),
        pytest.param("cut", then_close(CHUNKS + b"0\r\n"), id="cut-before-the-end-of-the-trailers"),
        pytest.param("cut", then_close(b"HTTP/1.1 100 Continue\r\n\r\n"), id="cut-after-an-interim-answer"),
        pytest.param("cut", then_close(ERROR[:-1] % 500), id="cut-error"),
        pytest.param("cut", lambda connection: say(connection, b"SSH-2.0\r\n\r\n"), id="no-http"),
        pytest.param("cut", lambda connection: say(connection, OK + b"more"), id="longer-than-it-says"),
        pytest.param("5xx", lambda connection: say(connection, ERROR % 502), id="502"),
        pytest.param("5xx", then_close(CLOSING % 500), id="500-and-closed"),
        pytest.param("status", lambda connection: say(connection, ERROR % 404), id="404"),
        pytest.param("status", lambda connection: say(connection, ERROR % 302), id="302"),
    ],
)
def test_each_tenth_request_that_fails_is_counted_once_in_its_class(
    outcome: str, special: Callable[[socket.socket], bool]
) -> None:
    with Server(every(10, special)) as server:
        report = load(server.target)

    assert report.failed == {outcome: 20}
    assert report.ok == 180
    assert server.requests == report.requests == 200  # nothing was sent twice, nothing held back
    assert [failure.outcome for failure in report.failures] == [outcome] * 20


def test_a_second_answer_to_one_request_spoils_the_first() -> None:
    said = [Event(), Event()]

    def behave(connection: socket.socket, number: int) -> bool:
        say(connection)
        if number % 10 == 0:
            while not has_read(connection.getpeername(), connection.getsockname()):
                time.sleep(0.001)
            say(connection)
            said[number // 10 - 1].set()
        return True

    def last(connection: socket.socket, number: int) -> bool:
        if number == 25:  # the load must not end before
            for event in said:
                event.wait()
        return behave(connection, number)

    # There is a connection for each request: none can mistake the second answer for its own.
    with Server(last) as server, Load(Spec(server.target, rate=50, seconds=0.5, connections=25)) as running:
        report = running.wait()

    assert report.failed == {"cut": 2}
    assert (report.requests, report.ok) == (25, 23)


@pytest.mark.parametrize("unix", [False, True])
def test_reset_before_the_answer_is_counted_once_for_each_request(unix: bool, tmp_path: Path) -> None:
    with Server(lambda connection, _: reset(connection), unix=tmp_path / "socket" if unix else None) as server:
        report = load(server.target)

    assert report.failed == {"reset": 200}
    assert server.requests == 200


def test_a_post_is_reset_when_the_server_leaves_before_it_has_read_it() -> None:
    with Server(lambda connection, _: reset(connection), bodies=False) as server:
        report = load(server.target, Kind("POST", body=8_000_000), rate=200)

    assert report.failed == {"reset": 20}


def test_an_answer_that_comes_before_the_whole_request_was_sent_counts_as_answered() -> None:
    def too_large(connection: socket.socket, _: int) -> bool:
        say(connection, ERROR % 413)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1_000_000):
            pass
        return False

    with Server(too_large, bodies=False) as server:
        report = load(server.target, Kind("POST", body=8_000_000), rate=200)

    assert report.failed == {"status": 20}


def test_a_closed_port_refuses_each_request() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        taken.shutdown(socket.SHUT_RDWR)  # still ours, no longer listening: nobody else can be given the port
        report = load(f"127.0.0.1:{port}")

    assert report.failed == {"refused": 200}


def test_a_missing_unix_socket_refuses_each_request(tmp_path: Path) -> None:
    report = load(f"unix:{tmp_path}/nothing")

    assert report.failed == {"refused": 200}
    assert report.failures[0].detail == "No such file or directory"


def test_the_full_queue_of_a_unix_socket_refuses_at_once(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen(0)  # the kernel lets one in

        def attempt(timeout: float) -> None:
            report = load(f"unix:{tmp_path}/socket", timeout=timeout)
            assert report.failed == {"refused": 199, "timeout": 1}

        patiently(attempt, 0.3, 10)


def test_requests_that_are_never_answered_time_out_and_those_behind_them_too() -> None:
    with Server(lambda connection, _: bool(connection.recv(1))) as server:
        report = load(server.target, timeout=0.3)

    assert report.failed == {"timeout": 200}
    assert min(report.samples.took) >= 0.3


def test_only_the_requests_that_stall_time_out() -> None:
    def attempt(timeout: float) -> None:
        with Server(every(50, lambda connection: bool(connection.recv(1)))) as server:
            report = load(server.target, timeout=timeout, rate=200, seconds=0.5)

        assert report.failed == {"timeout": 2}
        assert report.ok == 98

    patiently(attempt, 0.5, 10)


def test_failures_know_when_what_and_why() -> None:
    begin = time.monotonic()
    with Server(every(200, then_close(OK[:-1]))) as server:
        report = load(server.target, Kind("POST", "/orders", body=10))

    (failure,) = report.failures
    assert (failure.outcome, failure.kind) == ("cut", "POST /orders")
    assert failure.detail == "status 200, closed before the end of the answer"
    assert begin < report.started < failure.due <= failure.at <= report.ended <= time.monotonic()
