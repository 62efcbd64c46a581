from __future__ import annotations

import socket
import time
from collections import deque
from pathlib import Path

import pytest

from zdd.load import Kind, Load, Report, Spec
from zdd.load.http import Connection
from zdd.load.samples import Job, Recorder
from zdd.load.wire import Poller, Wire

from .server import OK, Server, say

CLOSE = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nas long as it lasts"


def load(target: str, *kinds: Kind, record: str = "", host: str = "") -> Report:
    spec = Spec(target, kinds or (Kind(),), rate=2000, seconds=0.1, connections=4, record=record, host=host)
    with Load(spec) as running:
        return running.wait()


@pytest.mark.parametrize("unix", [False, True])
def test_connections_are_kept_and_used_again(unix: bool, tmp_path: Path) -> None:
    with Server(lambda connection, _: say(connection), unix=tmp_path / "socket" if unix else None) as server:
        report = load(server.target)

    assert (report.ok, report.requests, report.reconnects) == (200, 200, 0)
    assert len(server.connections) == 4


def test_an_idle_connection_that_the_server_closes_is_a_reconnect_and_no_failure() -> None:
    # There is a connection for each request: on a starved machine the next one could be quicker than the close.
    with (
        Server(lambda connection, _: not say(connection)) as server,
        Load(Spec(server.target, rate=40, seconds=0.5, connections=20)) as running,
    ):
        report = running.wait()

    assert (report.ok, report.total_failed) == (20, 0)
    assert 0 < report.reconnected["idle"] == report.reconnects <= 20  # the last ones may close unseen


@pytest.mark.parametrize("answer", [CLOSE, UNTIL_CLOSE, OK.replace(b"1.1", b"1.0")])
def test_a_connection_that_the_answer_ends_is_a_reconnect_and_no_failure(answer: bytes) -> None:
    with Server(lambda connection, _: not say(connection, answer)) as server:
        report = load(server.target)

    assert (report.ok, report.total_failed) == (200, 0)
    assert report.reconnected == {"asked": 200}


def test_a_server_that_bids_an_idle_connection_farewell_is_no_failure() -> None:
    def behave(connection: socket.socket, _: int) -> bool:
        say(connection)
        time.sleep(0.005)
        return not say(connection, b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")

    with Server(behave) as server, Load(Spec(server.target, rate=100, seconds=0.5, connections=50)) as running:
        report = running.wait()

    assert report.total_failed == 0
    assert report.reconnects == report.reconnected["idle"] > 0


def test_a_request_meets_no_connection_whose_end_has_already_arrived() -> None:
    idle: deque[Wire] = deque()
    recorder, poller = Recorder(("GET /",)), Poller()
    with Server(lambda connection, _: not say(connection)) as server:
        connection = Connection([Kind().request("x")], b"", Spec(server.target).address(), poller, recorder, idle)
        connection.begin(Job(time.monotonic(), 0))
        while not recorder.samples:
            poller.wait(1)
        while server.connections[0].fileno() != -1:
            time.sleep(0.001)
        connection.begin(Job(time.monotonic(), 0))  # with no poll since
        while len(recorder.samples) < 2:
            poller.wait(1)
        poller.close()

    assert not recorder.failed
    assert len(server.connections) == 2


def test_kinds_are_mixed_in_their_exact_shares_and_bodies_arrive_whole() -> None:
    kinds = Kind(weight=3), Kind("POST", "/orders", body=100_000, headers={"X-Test": "yes"}, weight=1)
    with Server(lambda connection, _: say(connection)) as server:
        report = load(server.target, *kinds)

    assert report.ok == 200
    assert server.lines == {"GET /": 150, "POST /orders": 50}


def test_an_address_may_be_served_under_another_name() -> None:
    assert b"\r\nHost: shop.example\r\n" in Kind().request(Spec("127.0.0.1:80", host="shop.example").host_header)
    assert [Spec(target).host_header for target in ("a.example:80", "[::1]:81", "unix:/run/x")] == [
        "a.example",
        "[::1]:81",
        "localhost",
    ]


def test_the_report_tells_which_version_answered_when() -> None:
    times: dict[str, float] = {}

    def behave(connection: socket.socket, number: int) -> bool:
        version = "v1" if number <= 100 else "v2"
        times.setdefault(version, time.monotonic())
        return say(connection, b"HTTP/1.1 200 OK\r\nX-Release: %s\r\nContent-Length: 0\r\n\r\n" % version.encode())

    with Server(behave) as server:
        report = load(server.target, record="x-release")

    assert {value: seen.count for value, seen in report.answered.items()} == {"v1": 100, "v2": 100}
    assert times["v1"] < report.answered["v1"].first < report.answered["v1"].last < report.answered["v2"].last
    assert times["v2"] < report.answered["v2"].first
