"""A Node cluster replaces its own workers and stops as it does without zdd."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import time
from contextlib import closing
from typing import Any

import pytest

from tests.machine import free_port
from tests.waiting import eventually
from zdd.host import process

from .project import THE_SECOND, Call, Project, assert_nothing_lost, configure, request, service, version

WORKERS = 2
RELOADS = 3


class Direct(http.client.HTTPConnection):
    """A connection to an instance's own socket, as nginx has it in its pool."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(path)
        self.auto_open = 0

    def post(self, body: str) -> tuple[str | None, str]:
        """What becomes of the connection, and the answer."""
        self.request("POST", "/echo", body)
        answer = self.getresponse()
        return answer.headers["Connection"], answer.read().decode()


def deploy(project: Project, how: str, **keys: Any) -> int:
    """Deploy the cluster; returns its primary."""
    configure(project, service("web", run=f"node cluster.mjs {how}", health_path="/", keep_warm="0s", **keys))
    project.zddeploy()
    await_listening(project, WORKERS)
    return next(iter(project.serving().values()))


def told(project: Project) -> str:
    return project.log("web-*.log")


def workers(primary: int) -> set[int]:
    return set(process.descendants(primary)) - {primary}


def await_listening(project: Project, count: int) -> None:
    eventually(lambda: told(project).count("is listening") == count)


def await_others(primary: int, former: set[int]) -> None:
    eventually(lambda: len(workers(primary)) == WORKERS and not former & workers(primary))


def answers(project: Project) -> set[str]:
    """The versions that visitors get, each from a connection of its own."""
    return {found[1] for _ in range(40) if (found := re.search(r"X-Release: (\w+)", project.get("/")))}


@pytest.mark.parametrize("how", ["primary", "itself", "early"])
def test_workers_that_were_replaced_end_and_answer_nobody_any_more(project: Project, how: str) -> None:
    primary = deploy(project, how)
    with project.load(rate=100, connections=8) as load:
        for number in range(2, RELOADS + 2):
            before = workers(primary)
            version(project, number)
            os.kill(primary, signal.SIGHUP)
            await_others(primary, before)
            if how == "early":
                await_listening(project, WORKERS * number)
            assert answers(project) == {str(number)}
        time.sleep(THE_SECOND)
        report = load.stop()

    assert_nothing_lost(report)
    ended = '"exitedAfterDisconnect":true,"code":0,"signal":null'
    eventually(lambda: told(project).count(ended) == WORKERS * RELOADS)
    assert list(project.serving()) == ["web-1"]
    assert "restart" not in told(project)


def test_a_worker_that_is_disconnected_finishes_its_requests_first(project: Project) -> None:
    primary = deploy(project, "primary")
    call = Call(project, "/slow")
    eventually(lambda: "is busy" in told(project))
    busy = re.search(r"(\d+) is busy", told(project))
    assert busy
    os.kill(primary, signal.SIGHUP)
    eventually(lambda: told(project).count("is listening") == 2 * WORKERS and "has ended" in told(project))
    assert int(busy[1]) in workers(primary)
    eventually(lambda: told(project).count("is disconnected") == WORKERS - 1)  # Node may tell of the end before that

    project.write("go", "")
    assert call.answer().endswith(f"\r\n\r\n{busy[1]}\n")
    eventually(lambda: told(project).count("has ended") == WORKERS)
    eventually(lambda: told(project).count("is disconnected") == WORKERS)


def test_a_request_on_a_pooled_connection_is_still_answered_and_is_its_last(project: Project) -> None:
    """Node's own close() closes idle connections: a POST that nginx has just sent on one would be answered 502."""
    primary = deploy(project, "primary")
    with closing(Direct(f"{project.runtime}/instances/web-1/socket")) as pooled:
        assert pooled.post("first") == ("keep-alive", "first")
        before = workers(primary)
        os.kill(primary, signal.SIGHUP)
        eventually(lambda: "has ended" in told(project))
        assert len(before & workers(primary)) == 1, "the one that has this connection"

        eventually(lambda: pooled.post("again") == ("close", "again"))  # until its worker is told, it keeps it
        await_others(primary, before)


def test_a_worker_that_is_disconnected_before_it_listens_ends(project: Project) -> None:
    primary = deploy(project, "stillborn")
    before = workers(primary)
    os.kill(primary, signal.SIGHUP)

    eventually(lambda: "worker 3 has ended" in told(project))
    assert workers(primary) == before
    assert "worker 3 is listening" not in told(project)
    assert answers(project) == {"1"}


def test_the_primary_hears_where_its_workers_listen(project: Project) -> None:
    deploy(project, "primary")

    assert told(project).count('is listening: {"addressType":4,"address":null,"port":3000}') == WORKERS


def test_a_primary_without_workers_gets_a_port_of_its_own_and_not_the_sites(project: Project) -> None:
    port = free_port()
    primary = deploy(project, "primary", env={"OTHER": str(port)})
    os.kill(primary, signal.SIGUSR2)

    eventually(lambda: "primary's own" in told(project))
    assert request(port).endswith("primary")
    eventually(lambda: answers(project) == {"1"})


def test_a_cluster_that_disconnects_its_workers_at_sigterm_stops_by_itself(project: Project) -> None:
    deploy(project, "primary")
    version(project, 2)
    project.zddeploy()
    eventually(lambda: "web-1" not in project.instances())

    assert told(project).count("the app ended: exit status 0") == 1
    assert answers(project) == {"2"}
