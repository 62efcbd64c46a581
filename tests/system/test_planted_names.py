"""An app that runs as another user, and what it plants in the folder of its own. Needs root."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd.host import process

from .project import Project, configure, service

PYTHON = "/usr/bin/python3"  # one that every user may run
RUN = {
    "fd": {"run": f"{PYTHON} -S plain.py {{fd}}"},
    "unix": {"run": f"{PYTHON} -S plain.py {{socket}}", "socket": "unix"},
}

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run services as other users"),
    pytest.mark.skipif(not os.path.exists(PYTHON), reason=f"{PYTHON} is not there for other users to run"),
]


class Secret:
    """A service that only root may talk to, such as docker's; it remembers what it was told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[bytes] = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        path.chmod(0o600)
        self.socket.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                self.told.append(connection.recv(1000))
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nsecret")


@pytest.fixture
def secret(project: Project) -> Iterator[Secret]:
    made = Secret(project.folder / "secret")
    yield made
    made.socket.close()


def plant(project: Project, instance: str, target: Path) -> None:
    """Replace, as the app could, all that is in the app's folder by links to another socket."""
    folder = project.runtime / "instances" / instance / "app.1"
    for name in ("socket", "s", "keep", "waiting", "link"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)


def time_to_look() -> None:
    time.sleep(2.5)  # keepers look every second


@pytest.mark.parametrize("way", RUN)
def test_nginx_is_led_to_nobody_else(project: Project, secret: Secret, way: str) -> None:
    configure(project, service("web", **RUN[way], user="nobody"), service("api", **RUN["fd"], path="/api"))
    project.zddeploy()
    victim = project.runtime / "instances/api-1/keep"

    plant(project, "web-1", victim)
    time_to_look()

    assert "web 1" in project.get()
    os.kill(project.serving()["web-1"], 9)
    eventually(lambda: project.instances()["web-1"]["restarts"] == 1 and project.status()["state"] == "serving")
    assert "web 1" in project.get()
    assert secret.told == []


@pytest.mark.parametrize("way", RUN)
def test_root_relays_to_nobody_else_for_a_crashed_sibling(project: Project, secret: Secret, way: str) -> None:
    configure(project, service("web", **RUN[way], user="nobody", instances=2, keep_warm="0s"))
    project.zddeploy()
    first = project.runtime / "instances/web-1/keep"

    app = process.Process.find(project.serving()["web-1"])
    assert app
    app.signal(19)
    eventually(lambda: is_stopped(app.pid))  # now its queue fills
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(5)]
    for one in waiting:
        one.connect(str(first))
        one.sendall(b"GET /containers/json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    plant(project, "web-2", secret.path)
    app.signal(9)
    eventually(lambda: project.instances()["web-1"]["restarts"] == 1)
    eventually(lambda: project.status()["state"] == "serving")

    assert secret.told == []
    if way == "fd":  # the queue of the others has ended with the app
        assert all(b"web 1" in read(one) for one in waiting)
    for one in waiting:
        one.close()


def is_stopped(pid: int) -> bool:
    """Whether no thread of it accepts any more."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return all((task / "stat").read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)


def read(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1000), b""))


@pytest.mark.parametrize("way", RUN)
def test_root_asks_nobody_else_whether_the_app_is_well(project: Project, secret: Secret, way: str) -> None:
    configure(project, service("web", **RUN[way], user="nobody", bake="3s"))
    project.zddeploy()
    plant(project, "web-1", secret.path)

    deploying = project.beside()
    eventually(lambda: (project.runtime / "instances/web-2/app.1").exists())
    plant(project, "web-2", secret.path)
    assert deploying.wait(60) in (0, 1)
    project.zddeploy("rollback", code=None)
    project.zddeploy("status", code=None)

    assert secret.told == []
    assert "web 1" in project.get()
