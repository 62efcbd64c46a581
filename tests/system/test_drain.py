"""Letting the old version go: watched or not, in time or cut, kept warm, and all of it gone after down."""

from __future__ import annotations

import re
from contextlib import ExitStack

from websockets.sync.client import ClientConnection, connect

from tests.waiting import eventually

from .project import (
    JOB,
    PLAIN,
    PLAIN_TCP,
    UVICORN,
    WORKER,
    Call,
    Project,
    busy,
    configure,
    leftovers,
    service,
    version,
)


def test_the_drain_is_watched_with_a_live_count(project: Project) -> None:
    configure(project, service("web", **PLAIN, keep_warm="0s"))
    project.zddeploy()
    calls = busy(project, "one", "two", "three")
    version(project, 2)
    deploy = project.beside()
    for left, file in ((3, "one"), (2, "two"), (1, "three")):
        eventually(lambda left=left: f"draining, {left} connection" in deploy.said())  # type: ignore[misc]
        project.write(file, "")
    assert deploy.wait(60) == 0
    said = deploy.said()

    counts = [int(count) for count in re.findall(r"web-1 +draining, ([0-9]+) connection", said)]
    assert counts == sorted(counts, reverse=True)
    assert {3, 2, 1} <= set(counts)
    assert re.search(r"web-1 +drained in [0-9.]+ s: [0-9]+ connections", said)
    assert "web-1" not in project.instances(), "it is gone when zddeploy says so"
    assert [call.answer()[:12] for call in calls] == ["HTTP/1.1 200"] * 3


def test_detached_a_deploy_returns_at_the_switch(project: Project) -> None:
    configure(project, service("web", **PLAIN, keep_warm="0s"))
    project.zddeploy()
    (call,) = busy(project, "go")
    version(project, 2)
    said = project.zddeploy("--detach").stdout
    old = project.instances()["web-1"]

    assert old["state"] == "draining"
    assert old["connections"] >= 1
    assert "draining" not in said
    project.write("go", "")
    assert "web 1" in call.answer()
    eventually(lambda: list(project.instances()) == ["web-2"])


def test_strictly_drained_a_deploy_that_had_to_cut_says_so(project: Project) -> None:
    configure(project, service("web", **PLAIN, drain_timeout="1s"))
    project.zddeploy()
    (call,) = busy(project, "never")
    await_connections(project, 1)
    version(project, 2)
    said = project.zddeploy("--strict-drain", code=4).stdout

    assert re.search(r"web-1 +stopped after [0-9.]+ s; 1 connection was cut, [0-9]+ had ended", said)
    assert list(project.instances()) == ["web-2"], "nothing is kept warm"
    assert call.answer().startswith("HTTP/1.1 502")


def test_nothing_that_was_cut_is_missed_while_a_hook_or_another_instance_takes_its_time(project: Project) -> None:
    web = service("web", **PLAIN, drain_timeout="500ms", keep_warm="0s")
    configure(project, service("jobs", **JOB), web, after_deploy="sleep 2")
    project.zddeploy()
    (call,) = busy(project, "never")
    await_connections(project, 1)
    version(project, 2)
    *_, result = project.events("--strict-drain", code=4)

    assert (result["cut"], result["exit"]) == (1, 4)
    call.answer()
    project.write("done", "")
    eventually(lambda: "jobs-1" not in project.instances("jobs"))


def test_strictly_drained_a_deploy_that_cut_nothing_is_done(project: Project) -> None:
    configure(project, service("web", **PLAIN, drain_timeout="60s"))
    project.zddeploy()
    (call,) = busy(project, 1)
    version(project, 2)
    project.zddeploy("--strict-drain", code=0)

    assert list(project.instances()) == ["web-2"]
    assert "web 1" in call.answer()


def test_an_old_version_that_was_cut_is_no_failure_unless_asked(project: Project) -> None:
    configure(project, service("web", **PLAIN, drain_timeout="500ms", keep_warm="0s"))
    project.zddeploy()
    (call,) = busy(project, "never")
    version(project, 2)
    project.zddeploy(code=0)
    call.answer()


def test_the_old_version_is_kept_warm_and_then_goes_by_itself(project: Project) -> None:
    configure(project, service("web", **PLAIN, keep_warm="3s"), service("jobs", **WORKER))
    project.zddeploy()
    version(project, 2)
    said = project.zddeploy().stdout

    assert re.search(r"web-1 +kept warm", said)
    assert list(project.instances("jobs")) == ["jobs-2"], "a worker does its work twice when it is kept warm"
    eventually(lambda: list(project.instances()) == ["web-2"])


def test_a_warm_version_serves_again_by_one_rename(project: Project) -> None:
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    old = project.serving()
    version(project, 2)
    project.zddeploy()
    assert {name: one["state"] for name, one in project.instances().items()} == {"web-1": "warm", "web-2": "serving"}
    project.zddeploy("rollback")

    assert project.serving() == old
    eventually(lambda: "web 1" in project.get("/"))


def test_old_versions_drain_for_hours_while_deploys_go_on(project: Project) -> None:
    """Each has a WebSocket that goes on; a rollback and a restart leave them alone, and down says goodbye to them."""
    web = service("web", **UVICORN, keep_warm="0s", drain_timeout="8h")
    configure(project, web, nginx='proxy_read_timeout = "60s"\n')
    project.zddeploy()
    with ExitStack() as stack:
        chats = []
        for number in range(2, 5):
            chats.append(stack.enter_context(connect(f"ws://127.0.0.1:{project.port}/ws", ping_interval=1)))
            version(project, number)
            project.zddeploy("--detach")
            await_connections(project, 1, f"web-{number - 1}")
        old = ["web-1", "web-2", "web-3"]

        assert [chat.response.headers["x-release"] for chat in chats if chat.response] == ["1", "2", "3"]
        assert [project.instances()[name]["state"] for name in old] == ["draining"] * 3
        eventually(lambda: [project.instances()[name]["connections"] for name in old] == [1, 1, 1])
        assert project.zddeploy("status").stdout.count("  1 connection  ") == 3
        project.zddeploy("rollback", code=2)  # what drains does not come back, and there is no older code
        project.zddeploy("restart")
        assert [echo(chat) for chat in chats] == ["still there?"] * 3

        chats[1].close()
        eventually(lambda: list(project.instances()) == ["web-1", "web-3", "web-5"])
        assert [echo(chats[0]), echo(chats[2])] == ["still there?"] * 2
        project.replace("deploy.toml", '"60s"', '"3s"')
        project.zddeploy("down")
        eventually(lambda: [chats[0].close_code, chats[2].close_code] == [1012, 1012])  # "service restart"


def test_a_deploy_of_a_tcp_service_waits_for_the_workers_of_before_the_reload(project: Project) -> None:
    """They may still send the old instance what they have read only half of."""
    configure(project, service("web", **PLAIN_TCP, keep_warm="0s"))
    project.zddeploy()
    call = Call(project, "/echo", body=10)
    call.await_read()
    version(project, 2)
    project.zddeploy("--detach")
    assert project.instances()["web-1"]["state"] == "draining"
    call.send(b"0123456789")

    answer = call.answer()
    assert answer.startswith("HTTP/1.1 200")
    assert "X-Release: 1" in answer
    eventually(lambda: list(project.instances()) == ["web-2"])


def test_nothing_is_left_after_down_though_clients_are_connected(project: Project) -> None:
    """Those that are being answered get their answers, at most for proxy_read_timeout."""
    configure(
        project,
        service("web", **UVICORN, drain_timeout="1s", instances=2),
        service("api", **PLAIN, path="/api"),
        service("jobs", **WORKER),
    )
    project.zddeploy()
    (call,) = busy(project, 1, path="/api")
    with project.load(rate=50, connections=4, websockets=2) as load:
        eventually(lambda: sum(one["connections"] or 0 for one in project.instances().values()) >= 2)
        project.zddeploy("down")
        load.stop()

    assert "api 1" in call.answer()
    assert leftovers(project.folder) == []
    assert not project.runtime.exists()
    assert project.status()["state"] == "down"


def await_connections(project: Project, number: int, name: str = "web-1") -> None:
    """Wait until an instance has as many: those that nginx has pooled are gone."""
    eventually(lambda: project.instances()[name]["connections"] == number)


def echo(chat: ClientConnection) -> str | bytes:
    chat.send("still there?")
    return chat.recv(30)
