"""Proof of life: true while an instance lives, false for what a reboot has left."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd import living
from zdd.host import sock_diag
from zdd.host.process import Process, title
from zdd.layout import Layout

SLEEP = ["sleep", "60"]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    for folder in ("control", "instances/web-1/sock", "logs"):
        (tmp_path / folder).mkdir(parents=True)
    return Layout(str(tmp_path), str(tmp_path), f"{tmp_path}/nginx.conf")


def started(child: subprocess.Popen[bytes]) -> Process:
    eventually(lambda: title(child.pid).startswith(("sleep", "sh")))  # its program has begun
    process = Process.find(child.pid)
    assert process is not None
    return process


def record(layout: Layout, child: subprocess.Popen[bytes], port: int | None = None) -> None:
    process = started(child)
    pids = {"keeper": None, "app": [process.pid, process.start_time], "port": port}
    Path(layout.control, "web-1.pids").write_text(json.dumps(pids))


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for child in found:
        child.kill()
        child.wait()


def test_nothing_lives_in_files_alone(layout: Layout) -> None:
    for path in (f"{layout.control}/web-1.sock", f"{layout.instances}/web-1/sock/socket"):
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(path)
            left.listen()
    Path(layout.control, "web-1.pids").write_text('{"keeper": [4194304, 7], "app": null, "port": null}')
    Path(layout.control, "web-2.pids").write_text("{")
    Path(layout.runtime, "nginx.pid").write_text(str(os.getpid()))

    assert living.find(layout) is None


def test_a_control_socket_that_somebody_listens_on_is_a_keeper(layout: Layout) -> None:
    with socket.socket(socket.AF_UNIX) as keeper:
        keeper.bind(f"{layout.control}/web-1.sock")
        keeper.listen(0)

        for _ in range(3):  # nobody accepts, so its queue is full after the first ones
            assert living.find(layout) == "the keeper of web-1 answers"


def test_an_app_that_listens_lives_without_its_keeper(layout: Layout) -> None:
    path = f"{layout.instances}/web-1/sock/socket"
    with socket.socket(socket.AF_UNIX) as app:
        app.bind(path)
        app.listen()

        assert living.find(layout) == f"somebody listens on {path}"
        assert sock_diag.queued(sock_diag.file_of(path)) == 0, "the app was connected to"


def test_another_process_with_the_number_and_time_of_one_before_the_reboot_is_not_it(
    layout: Layout, children: list[subprocess.Popen[bytes]]
) -> None:
    children.append(subprocess.Popen(SLEEP))
    record(layout, children[0])

    assert living.find(layout) is None


@pytest.mark.parametrize("mark", ["environment", "log"])
def test_a_recorded_process_with_a_mark_of_the_instance_lives(
    layout: Layout, children: list[subprocess.Popen[bytes]], mark: str
) -> None:
    env = os.environ | ({"ZDD_INSTANCE": "web-1"} if mark == "environment" else {})
    with Path(layout.logs, "web-1.log" if mark == "log" else "other.log").open("wb") as log:
        children.append(subprocess.Popen(SLEEP, env=env, stderr=log))
    record(layout, children[0])

    assert living.find(layout) == f"process {children[0].pid} of web-1 runs"


def test_a_process_that_ends_while_it_is_looked_at_does_not_live(
    layout: Layout, children: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    children.append(subprocess.Popen(SLEEP, env=os.environ | {"ZDD_INSTANCE": "web-1"}))
    record(layout, children[0])
    children[0].kill()
    os.waitid(os.P_PID, children[0].pid, os.WEXITED | os.WNOWAIT)
    monkeypatch.setattr(Process, "alive", lambda _: True)  # as it was just before

    assert living.find(layout) is None


def test_a_process_that_opens_and_closes_files_all_the_time_lives(
    layout: Layout, children: list[subprocess.Popen[bytes]]
) -> None:
    busy = ["sh", "-c", "while :; do : </dev/null; done"]
    children.append(subprocess.Popen(busy, env=os.environ | {"ZDD_INSTANCE": "web-1"}))
    record(layout, children[0])

    assert {living.find(layout) for _ in range(500)} == {f"process {children[0].pid} of web-1 runs"}


def test_a_keeper_is_known_by_its_record(layout: Layout, children: list[subprocess.Popen[bytes]]) -> None:
    script = ["sh", "-c", "sleep 60; exit", f"{layout.control}/web-1.json"]
    children.append(subprocess.Popen(script))
    record(layout, children[0])

    assert living.find(layout) == f"process {children[0].pid} of web-1 runs"


def test_a_classic_instance_is_known_by_its_port(layout: Layout, children: list[subprocess.Popen[bytes]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        children.append(subprocess.Popen(SLEEP, pass_fds=[server.fileno()]))
        process = started(children[0])
        known = {"process": [process.pid, process.start_time], "port": port}
        Path(layout.control, "old-1.classic").write_text(json.dumps(known))

        assert living.find(layout) == f"process {process.pid} of old-1 runs"
