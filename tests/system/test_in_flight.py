"""Every kind of traffic in the middle of a deploy: what has begun ends on the old version, byte for byte."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable

import pytest

from tests.machine import free_port
from tests.waiting import eventually

from . import in_flight
from .in_flight import Conversation, end
from .project import (
    THE_SECOND,
    UVICORN,
    UVICORN_TCP,
    Project,
    configure,
    service,
    template,
    version,
)

Kind = Callable[[Project], Conversation]

RPC = {"run": "python rpc.py {socket}", "socket": "unix", "health_command": "python rpc.py --ask $ZDD_SOCKET"}
WAYS = {"fd": UVICORN, "tcp": UVICORN_TCP}
LOCATIONS = "location / { proxy_pass http://web; proxy_request_buffering off; }"
HTTP_2 = f"""\
server {{
        listen 127.0.0.1:PORT http2;
        location / {{ proxy_pass http://web; }}
        {in_flight.GRPC}
    }}"""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [in_flight.download, in_flight.events, in_flight.http_1_0, in_flight.websocket])
def test_what_is_in_flight_ends_on_the_old_version(project: Project, way: str, kind: Kind) -> None:
    """Behind zdd's own nginx; with tcp it is reloaded, and its old workers stay for as long."""
    configure(project, service("web", **WAYS[way], keep_warm="0s"))
    stays_with_the_old_version(project, kind)


@pytest.mark.parametrize(
    "kind", [in_flight.upload, in_flight.chunks, in_flight.pipeline, in_flight.http_2, in_flight.rpc]
)
def test_what_is_in_flight_behind_a_template_ends_on_the_old_version(project: Project, kind: Kind) -> None:
    """One that passes bodies on as they come, and speaks HTTP/2 and gRPC."""
    services = [service("web", **UVICORN, keep_warm="0s"), service("rpc", **RPC, keep_warm="0s")]
    configure(project, *services, nginx='template = "nginx.conf.template"\n')
    project.replace("deploy.toml", f'listen = "127.0.0.1:{project.port}"\n', "")
    template(project, LOCATIONS, HTTP_2.replace("PORT", str(free_port())), "web", "rpc")
    stays_with_the_old_version(project, kind, "rpc" if kind is in_flight.rpc else "web")


def stays_with_the_old_version(project: Project, kind: Kind, of: str = "web") -> None:
    project.zddeploy()
    old = kind(project)
    next(old)
    version(project, 2)
    project.zddeploy("--detach")
    assert project.instances(of)[f"{of}-1"]["state"] == "draining"
    time.sleep(THE_SECOND)
    eventually(lambda: project.instances(of)[f"{of}-1"]["connections"] == 1)  # nginx has none of it left in its pool
    assert project.instances(of)[f"{of}-1"]["state"] == "draining"

    project.write("go", "")
    assert end(old) == "1"
    assert end(kind(project)) == "2"
    eventually(lambda: list(project.instances(of)) == [f"{of}-2"])
    assert re.search("drained: connections that have ended: [1-9], that are cut: 0", project.log(f"{of}-1.log"))


def test_a_client_that_says_nothing_during_a_deploy_is_answered_by_the_new_version(project: Project) -> None:
    """Connected and silent, or idle after an answer: the connection is nginx's, and nothing closes it."""
    configure(project, service("web", **UVICORN, keep_warm="0s"))
    project.zddeploy()
    silent, idle = (socket.create_connection(("127.0.0.1", project.port), 30) for _ in range(2))
    with silent, idle:
        assert "x-release: 1" in ask(idle)
        version(project, 2)
        project.zddeploy()

        assert "x-release: 2" in ask(silent)
        assert "x-release: 2" in ask(idle)


def ask(connection: socket.socket) -> str:
    """One request on a connection that stays; returns the head of its answer."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n")
    answer = b""
    while b"version" not in answer:
        data = connection.recv(65536)
        assert data, "it was closed"
        answer += data
    return answer.decode()
