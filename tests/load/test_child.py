from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd.load import Load, LoadError, Report, Spec

from .server import Server, every, reset, say

MODULE = [sys.executable, "-m", "zdd.load"]
PARENT = """
import sys, time
from zdd.load import Load, Spec
with Load(Spec(sys.argv[1])) as load:
    print(load._child.pid, flush=True)
    time.sleep(60)
"""


def test_a_load_lasts_until_it_is_stopped_and_leaves_nothing_behind() -> None:
    descriptors = set(os.listdir("/dev/fd"))
    with Server(lambda connection, _: say(connection)) as server, Load(Spec(server.target, rate=200)) as running:
        while running.progress().done < 20:
            time.sleep(0.01)
        report = running.stop()
        assert running._child.returncode is not None

    assert report.ok == report.requests == server.requests >= 20
    assert set(os.listdir("/dev/fd")) == descriptors


def test_what_is_under_way_when_it_stops_still_gets_its_outcome() -> None:
    def slow(connection: socket.socket, _: int) -> bool:
        time.sleep(0.3)
        return say(connection)

    with Server(slow) as server, Load(Spec(server.target, rate=100, connections=100)) as running:
        eventually(lambda: server.requests > 0)
        report = running.stop()

    assert report.ok == report.requests == server.requests > 0


def test_leaving_without_a_report_ends_the_child() -> None:
    with Server(lambda connection, _: say(connection)) as server:
        with Load(Spec(server.target)) as running:
            pass

        assert running._child.returncode == -signal.SIGKILL


def test_a_killed_parent_leaves_no_child_behind() -> None:
    with Server(lambda connection, _: say(connection)) as server:
        parent = subprocess.Popen([sys.executable, "-c", PARENT, server.target], stdout=subprocess.PIPE, text=True)
        with parent:
            assert parent.stdout
            child = os.pidfd_open(int(parent.stdout.readline()))
            parent.kill()
        ended = select.select([child], [], [], 20)[0]
        os.close(child)

    assert ended


def test_a_signal_ends_the_load_with_a_report() -> None:
    with Server(lambda connection, _: say(connection)) as server, Load(Spec(server.target, seconds=60)) as running:
        eventually(lambda: running.progress().done > 0)
        running._child.send_signal(signal.SIGTERM)
        report = running.wait()

    assert 0 < report.ok == report.requests == server.requests


def test_waiting_for_the_end_of_a_load_without_end_is_refused() -> None:
    with (
        Server(lambda connection, _: say(connection)) as server,
        Load(Spec(server.target)) as running,
        pytest.raises(ValueError, match="stop it"),
    ):
        running.wait()


def test_a_child_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(LoadError, match="exit code 1"), Load(Spec("127.0.0.1:1")):
        pass


def test_a_child_that_dies_is_an_error_and_no_empty_report() -> None:
    with Server(lambda connection, _: say(connection)) as server, Load(Spec(server.target)) as running:
        running._child.kill()
        with pytest.raises(LoadError, match="exit code -9"):
            running.stop()


def test_by_hand_it_prints_a_summary_and_fails_when_requests_fail() -> None:
    arguments = ["--rate", "400", "--seconds", "0.25", "--conns", "4", "--post"]
    with Server(lambda connection, _: say(connection)) as good, Server(every(4, reset)) as bad:
        done = [
            subprocess.run([*MODULE, f"http://{server.target}/x", *arguments], capture_output=True, text=True)
            for server in (good, bad)
        ]

    assert [run.returncode for run in done] == [0, 1]
    assert "100 requests" in done[0].stdout
    assert "100 ok, 0 failed" in done[0].stdout
    assert "POST /x: p50" in done[0].stdout
    assert "75 ok, 25 failed\n  25 reset\n" in done[1].stdout
    assert good.lines == {"GET /x": 50, "POST /x": 50}


def test_programs_are_served_lines_of_json() -> None:
    with Server(lambda connection, _: say(connection)) as server:
        spec = Spec(server.target, rate=100, seconds=0.6).to_json()
        lines = subprocess.run([*MODULE, spec], capture_output=True, check=True).stdout.splitlines()

    first, *between, last = (json.loads(line) for line in lines)
    assert first["event"] == "started"
    assert {line["event"] for line in between} == {"progress"}
    assert Report.unpack(last["report"]).ok == 60


@pytest.mark.parametrize("target", ["nonsense", '{"target": "nonsense"}', '{"aim": "nonsense"}', "{", "http://"])
def test_what_it_cannot_understand_it_refuses(target: str, tmp_path: Path) -> None:
    run = subprocess.run([*MODULE, target], capture_output=True, text=True, cwd=tmp_path)

    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    assert run.stderr or json.loads(run.stdout)["event"] == "error"
