from __future__ import annotations

import socket
import time
from threading import Lock

from zdd.load import Load, Spec

from .server import Server, say


def test_a_stall_is_seen_by_all_requests_that_were_due_in_it() -> None:
    """A closed loop on four connections would have seen it four times: coordinated omission."""
    stalled: list[float] = []
    lock = Lock()

    def behave(connection: socket.socket, number: int) -> bool:
        with lock:
            if number == 50:
                stalled.append(time.monotonic())
                time.sleep(1)
                stalled.append(time.monotonic())
        return say(connection)

    with Server(behave) as server, Load(Spec(server.target, rate=200, seconds=1.3, connections=4)) as running:
        report = running.wait()

    begin, end = stalled
    assert (report.ok, report.requests) == (260, 260)
    assert sum(took > 0.5 for took in report.samples.took) >= 90  # 100 were due in its first half
    assert report.percentile(99) > 0.9
    assert report.percentile(100) >= 0.99
    assert report.percentile(50, windows=[(begin, end)]) > 0.25
    assert report.percentile(0, outside=[(begin, report.ended)]) < 0.5


def test_the_time_that_the_server_takes_is_counted() -> None:
    def slow(connection: socket.socket, _: int) -> bool:
        time.sleep(0.2)
        return say(connection)

    with Server(slow) as server, Load(Spec(server.target, rate=100, seconds=0.5)) as running:
        report = running.wait()

    assert report.ok == 50
    assert min(report.samples.took) >= 0.2


def test_requests_are_due_at_fixed_times() -> None:
    with Server(lambda connection, _: say(connection)) as server, Load(Spec(server.target, rate=250)) as running:
        time.sleep(0.5)
        report = running.stop()

    due = report.samples.due
    assert sorted(due) == [report.started + n / 250 for n in range(len(due))]
    assert report.late < report.ended - report.started
