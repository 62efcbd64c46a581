"""Traffic that lasts longer than a deploy: it ends where it began, on the old version."""

from __future__ import annotations

import re
import time

import pytest

from tests.waiting import eventually

from .project import (
    LIGHT,
    PLAIN,
    UVICORN,
    UVICORN_TCP,
    Call,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    busy,
    configure,
    service,
    template,
    version,
)

ANSWERS = "HTTP/1.1 200 OK"


def test_slow_requests_finish_on_the_old_version(project: Project) -> None:
    configure(project, service("web", **PLAIN, keep_warm="0s"))
    project.zddeploy()
    calls = busy(project, 1, 1.5, 2)
    version(project, 2)
    project.zddeploy()

    for call in calls:
        answer = call.answer()
        assert answer.startswith(ANSWERS)
        assert "X-Release: 1" in answer
    assert "X-Release: 2" in project.get("/")


def test_a_slow_download_is_read_to_its_end_from_the_old_version(project: Project) -> None:
    configure(project, service("web", **UVICORN, keep_warm="0s"))
    project.zddeploy()
    call = Call(project, "/stream")
    assert call.connection.recv(10) == b"HTTP/1.1 2"
    version(project, 2)
    project.zddeploy()

    answer = call.answer()
    assert "x-release: 1" in answer
    assert answer.count("line of version 1") == 20
    assert answer.endswith("0\r\n\r\n"), "it was cut"


def test_a_slow_upload_arrives_whole(project: Project) -> None:
    """Nginx sends it on once it has all of it, so to the new version; in_flight.py has one that it does not keep."""
    configure(project, service("web", **PLAIN, keep_warm="0s"), nginx='template = "nginx.conf.template"\n')
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"\n', "")
    template(project, "location / { proxy_pass http://web; }", "", "web")
    project.zddeploy()
    call = Call(project, "/echo", body=40_000)
    call.send(b"a" * 1000)
    call.await_read()
    version(project, 2)
    project.zddeploy()
    for _ in range(39):
        time.sleep(0.005)
        call.send(b"b" * 1000)

    answer = call.answer()
    assert answer.startswith(ANSWERS)
    assert "X-Release: 2" in answer
    assert answer.endswith("\r\n\r\n" + "a" * 1000 + "b" * 39_000)


@pytest.mark.parametrize("way", [UVICORN, UVICORN_TCP], ids=["fd", "tcp"])
def test_websockets_stay_on_the_old_version_until_the_drain_is_over(project: Project, way: dict[str, str]) -> None:
    """Then the app is told to stop, and closes them in order; with tcp nginx's old workers last as long as they."""
    configure(project, service("web", **way, keep_warm="0s", drain_timeout="4s"))
    project.zddeploy()
    with project.load(rate=50, connections=4, websockets=8, websocket_interval=0.1) as load:
        await_websockets(project, "web-1")
        version(project, 2)
        begun = time.monotonic()
        *_, drained, result = project.events()
        await_websockets(project, "web-2")
        report = load.stop()

    (assert_nothing_lost if way is UVICORN else assert_only_reloads_cost)(report)
    assert report.reconnected["websocket"] == 8, "closed with a code that says so"
    assert report.answered["1"].last >= begun + 4
    assert project.log("web-1.log").count("version 1 has seen a WebSocket end") == 8
    assert re.fullmatch(r"stopped after [0-9.]+ s; 8 connections were cut, [0-9]+ had ended", drained["text"])
    assert (drained["cut"], result["cut"], result["drained"]) == (8, 8, drained["drained"])


def test_websockets_outlive_several_deploys(project: Project) -> None:
    """Their instance drains as long as it may, while others come and go."""
    configure(project, service("web", **UVICORN, keep_warm="0s", drain_timeout="1h"))
    project.zddeploy()
    with project.load(rate=50, connections=4, websockets=8, websocket_interval=0.1) as load:
        await_websockets(project, "web-1")
        for number in range(2, 5):
            version(project, number)
            project.zddeploy("--detach")
        states = {name: one["state"] for name, one in project.instances().items()}
        report = load.stop()

    assert_nothing_lost(report)
    assert report.reconnects == 0
    assert (states["web-1"], states["web-4"]) == ("draining", "serving")
    eventually(lambda: list(project.instances()) == ["web-4"])


def test_a_connection_that_says_nothing_does_not_hold_a_deploy_up(project: Project) -> None:
    """It is nginx's, and the app knows nothing of it."""
    configure(project, service("web", **PLAIN, keep_warm="0s"))
    project.zddeploy()
    silent = Call(project, "/")
    silent.connection.recv(1)
    half = Call(project, "/", body=10)
    with project.load(**LIGHT) as load:
        version(project, 2)
        project.zddeploy("--strict-drain")
        report = load.stop()
    half.send(b"0123456789")

    assert_nothing_lost(report)
    assert "X-Release: 2" in half.answer()
    silent.connection.close()


def await_websockets(project: Project, name: str) -> None:
    """Wait until all eight of the load have been accepted by an instance."""
    eventually(lambda: project.log(f"{name}.log").count("has accepted a WebSocket\n") == 8)
