"""The access log by clients of all kinds: HTTPS, HTTP/2, WebSockets, those that leave, and odd requests."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import time
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.secure import context
from tests.waiting import eventually
from zdd.nginx.access_log import UNKNOWN

from .project import PLAIN, UVICORN, Project, busy, configure, nginx_workers, service, version
from .test_https import Shop, shop, web
from .test_https_clients import Http2
from .visitors import Visitors, access, await_answer_of, logged, share_known, visiting, wrong

__all__ = ["shop"]  # a fixture

UNTIL_SURE = 1.1  # seconds: nginx may connect up to one later than its log says, if a worker was stopped meanwhile


def log(project: Project) -> Path:
    return project.state / "logs/access/access.log"


def text(project: Project) -> str:
    return (project.state / "nginx/nginx.conf").read_text()


def by_https(shop: Shop) -> http.client.HTTPConnection:
    """A connection of a browser for shop.test."""
    made = http.client.HTTPConnection("shop.test", shop.https, timeout=60)
    plain = socket.create_connection(("127.0.0.1", shop.https), 60)
    made.sock = context().wrap_socket(plain, server_hostname="shop.test")
    return made


def test_over_https_each_line_has_the_version_that_has_answered(shop: Shop) -> None:
    project = shop.project
    shop.configure(web(instances=2))
    project.zddeploy()
    before, workers = text(project), nginx_workers(project)
    visitors = Visitors(project, connect=lambda: by_https(shop))
    with visiting(project, visitors):
        for number in (2, 3, 4):
            version(project, number)
            project.zddeploy()
        known = len(visitors.answered)
        eventually(lambda: len(visitors.answered) > known + 200)

    lines = logged(project, visitors.answered)
    assert visitors.failed == []
    assert (text(project), nginx_workers(project)) == (before, workers)
    assert wrong(visitors, lines) == []
    assert share_known(visitors, lines) > 0.3
    assert sorted(line["id"] for line in lines) == sorted(visitors.answered), "what zdd asks is no visit"


def test_each_request_of_one_http_2_connection_has_its_own_line_and_version(shop: Shop) -> None:
    project = shop.project
    shop.configure(web())
    project.zddeploy()
    names = {str(pid): name for name, pid in project.serving().items()}
    client, answered = Http2(shop.https, "shop.test"), dict[str, str]()

    def ask() -> int:
        path = f"/{len(answered)}"
        answered[path] = client.ask(path)["x-pid"]
        return len(answered)

    for number in (2, 3, 4):
        version(project, number)
        child = project.beside()
        while child.poll() is None:
            ask()
        assert child.returncode == 0
        names |= {str(pid): name for name, pid in project.serving().items()}
        before = len(answered)
        eventually(lambda: ask() > before + 20)  # noqa: B023  (called at once)
    client.close()

    lines = {line["path"]: line for line in logged(project, answered, "path")}
    assert set(lines) == set(answered)
    assert len({line["connection"] for line in lines.values()}) == 1
    for path, pid in answered.items():
        assert lines[path]["instance"] in (names[pid], UNKNOWN), lines[path]
    assert {line["instance"] for line in lines.values()} > {"web-2", "web-3", "web-4"}


def test_what_zdd_itself_asks_is_no_visit(project: Project) -> None:
    configure(project, service("web", **PLAIN))
    for _ in range(3):
        project.zddeploy()
    project.zddeploy("maintenance", "on")
    project.zddeploy("maintenance", "off")
    project.zddeploy("rollback")
    project.zddeploy("check")
    project.zddeploy("status")
    assert "no request was logged" in project.zddeploy("logs", "--access").stderr
    assert log(project).read_text() == ""

    project.get("/zdd-health")  # a balancer, every few seconds
    project.get("/visitor")

    eventually(lambda: [line["path"] for line in access(project)] == ["/visitor"])


def raw(project: Project, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", project.port), 60) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


ODD = {
    b"GET /%0a%1b[2J HTTP/1.1": "/%0a%1b[2J",
    b"GET /%00 HTTP/1.1": "",  # refused before nginx has a path
    b'GET /"\\\xff\xfe HTTP/1.1': '/"\\\ufffd\ufffd',
    b"GET /\xc2\x9b31m HTTP/1.1": "/\x9b31m",
    b"GET /" + b"a" * 8000 + b"?token=hidden HTTP/1.1": "/" + "a" * 8000,
    b"GET /a?password=hidden#frag?hidden HTTP/1.1": "/a",
    b"GET /b#hidden HTTP/1.1": "/b",
    b"GET http://localhost/c?hidden HTTP/1.1": "/c",
    b"GET /d;jsessionid=1?hidden HTTP/1.1": "/d;jsessionid=1",
    b"GET /e%3Fnohidden HTTP/1.1": "/e%3Fnohidden",
}


def test_odd_paths_are_logged_as_they_are_without_any_query(project: Project) -> None:
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    for line in ODD:
        raw(project, line + b"\r\nHost: localhost\r\nConnection: close\r\nReferer: http://x/?hidden\r\n\r\n")

    eventually(lambda: len(access(project)) == len(ODD))
    assert sorted(line["path"] for line in access(project)) == sorted(ODD.values())  # one worker may log before another
    assert b"hidden" not in log(project).read_bytes().replace(b"nohidden", b"")
    shown = project.zddeploy("logs", "--access").stdout
    assert len(shown.splitlines()) == len(ODD)
    assert not set("\x1b\x9b\x00") & set(shown)


def test_lines_that_an_app_has_written_into_it_are_shown_and_change_no_terminal(project: Project) -> None:
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    line = {"msec": "1.000", "seconds": "0.000", "status": "200"}
    slot = f"unix:{project.runtime}/current/web/00"
    forged = [
        line | {"at": "no time", "slots": slot, "times": "0.000"},
        line | {"root": f"{project.state.resolve()}/releases/\x1b]0;title\x07/dist"},
    ]
    with log(project).open("a") as file:
        file.writelines(json.dumps(one) + "\n" for one in forged)

    shown = project.zddeploy("logs", "--access").stdout

    assert r"nginx \x1b]0;title\x07 200" in shown
    assert not set("\x1b\x07") & set(shown)


def test_what_is_no_request_has_a_line_and_no_instance(project: Project) -> None:
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    for request in (
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\x1b[2J\r\n",
        b"ODD!! /x\r\n\r\n",
    ):
        raw(project, request)
    raw(project, b"GET / HTTP/1.1\r\nHost: a\x1b[2Jb\r\n\r\n")

    eventually(lambda: len(access(project)) >= 5)
    assert {line["instance"] for line in access(project)} == {None}
    shown = project.zddeploy("logs", "--access").stdout
    assert "\x1b" not in shown


def test_those_who_leave_and_those_who_stay_have_the_instance_that_they_met(project: Project) -> None:
    """499 for a client that gives up; the line of a slow answer comes when its version serves nobody else any more."""
    configure(project, service("web", **PLAIN, keep_warm="0s", drain_timeout="60s"))
    project.zddeploy()
    await_answer_of(project, "web-1")
    (leaves,) = busy(project, "later")
    (stays,) = busy(project, "now")
    leaves.connection.close()
    eventually(lambda: access(project)[-1]["status"] == 499)
    assert access(project)[-1]["instance"] == "web-1"
    project.write("later", "")  # else the app works on for nobody, and its version is not drained
    time.sleep(UNTIL_SURE)
    version(project, 2)

    child = project.beside()
    eventually(lambda: "web-2" in project.serving())
    eventually(lambda: project.get().endswith("web 2\n"))
    project.write("now", "")
    assert "web 1" in stays.answer()
    assert child.wait(60) == 0

    lines = {line["path"]: line for line in logged(project, ["/slow/now"], "path")}
    assert lines["/slow/now"]["instance"] == "web-1"


def test_a_websocket_has_the_instance_that_it_was_opened_with_and_how_long_it_was_open(project: Project) -> None:
    """Also over several deploys; its line comes when it ends."""
    configure(project, service("web", **UVICORN, keep_warm="0s", drain_timeout="1h"))
    project.zddeploy()
    with contextlib.ExitStack() as chats:
        for number in (1, 2):
            version(project, number)
            if number > 1:
                project.zddeploy("--detach")
            await_answer_of(project, f"web-{number}")
            chats.enter_context(connect(f"ws://127.0.0.1:{project.port}/ws"))
            time.sleep(UNTIL_SURE)
        version(project, 3)
        project.zddeploy("--detach")
        assert [line for line in access(project) if line["status"] == 101] == []

    eventually(lambda: len([line for line in access(project) if line["status"] == 101]) == 2)
    found = sorted((line for line in access(project) if line["status"] == 101), key=lambda line: line["instance"])
    assert [(line["instance"], line["path"]) for line in found] == [("web-1", "/ws"), ("web-2", "/ws")]
    assert found[0]["seconds"] > found[1]["seconds"]


@pytest.mark.parametrize("harm", ["deleted", "corrupt", "a folder", "a fifo", "a link"])
def test_whatever_becomes_of_the_file_of_publishes_no_line_is_wrong(project: Project, harm: str) -> None:
    configure(project, service("web", **PLAIN, keep_warm="0s"))
    project.zddeploy()
    publishes = project.state / "logs/publishes.jsonl"
    with visiting(project) as visitors:
        eventually(lambda: len(visitors.answered) > 50)
        match harm:
            case "corrupt":
                publishes.write_bytes(b'{"table": "7", \xff\xfe\n[]\n' + publishes.read_bytes()[:40])
            case _:
                publishes.unlink()
        match harm:
            case "a folder":
                publishes.mkdir()
            case "a fifo":
                os.mkfifo(publishes)
            case "a link":
                publishes.symlink_to("/etc/passwd")
        project.zddeploy()
        project.zddeploy()
        known = len(visitors.answered)
        eventually(lambda: len(visitors.answered) > known + 100)

    lines = access(project)
    assert visitors.failed == []
    assert wrong(visitors, lines) == []
    assert json.dumps(lines).count(UNKNOWN) > 50
