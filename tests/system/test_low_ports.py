"""An ordinary user's nginx below port 1024: only what has the right starts it, and deploys without it go on."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import zdd
from tests.waiting import eventually
from zdd.host import low_ports

from .project import LIGHT, Project, assert_only_reloads_cost, configure, leftovers, service, version

PYTHON = "/usr/bin/python3"  # one that every user may run
SOURCE, PACKAGES = Path(zdd.__file__).parents[1], sysconfig.get_path("purelib")
USER = ["setpriv", "--reuid=games", "--regid=games", "--clear-groups"]
UNIT = [*USER, "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"]  # what the unit gives
WEB = service("web", run=f"{PYTHON} -S plain.py {{fd}}", health_path="/", keep_warm="0s")

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a capability"),
    pytest.mark.skipif(not os.path.exists(PYTHON), reason=f"{PYTHON} is not there for other users to run"),
]


@pytest.fixture
def low(project: Project) -> Iterator[Project]:
    """A project of the user `games` on a port of root's."""
    project.port = next(PORTS)
    configure(project, WEB)
    for path in (project.folder, *project.folder.rglob("*")):
        shutil.chown(path, "games", "games")
    yield project
    run(project, USER, "down")


def _low_ports() -> Iterator[int]:
    """Ports that no other run of these tests tries, as long as this one lasts."""
    for port in range(1023, 600, -1):
        lock = os.open(f"{tempfile.gettempdir()}/zdd-low-port-{port}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            socket.create_server(("127.0.0.1", port)).close()
            yield port


PORTS = _low_ports()


def run(project: Project, who: list[str], *args: str, code: int = 0) -> str:
    env = {"PATH": "/usr/bin:/bin:/usr/sbin", "PYTHONPATH": f"{SOURCE}:{PACKAGES}", "HOME": str(project.folder)}
    argv = [*who, PYTHON, "-m", "zdd", *args]
    done = subprocess.run(argv, cwd=project.folder, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def master(project: Project) -> int:
    return int((project.runtime / "nginx.pid").read_text())


def listen(project: Project, *ports: int) -> None:
    text = (project.folder / "deploy.toml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("listen = ")]
    addresses = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
    lines.insert(lines.index("[nginx]") + 1, f"listen = [{addresses}]")
    project.write("deploy.toml", "\n".join([*lines, ""]))


def test_who_may_not_listen_there_is_refused_until_the_unit_has_started_nginx(low: Project) -> None:
    refused = run(low, USER, code=2)
    assert f"port {low.port} is root's, and you are games" in refused
    assert f"-c {low.folder}/deploy.toml enable`" in refused
    assert not list(low.runtime.glob("instances/*"))

    assert "nginx waits for the first `zddeploy`" in run(low, UNIT, "up")
    assert "HTTP/1.1 502" in low.get()
    assert "nginx                    unchanged" in run(low, USER)
    assert "X-Release: 1" in low.get()

    run(low, USER, "down")
    assert f"port {low.port} is root's" in run(low, USER, "up", code=2)
    run(low, UNIT, "up")
    assert "X-Release: 1" in low.get()


def test_nginx_alone_has_the_right_and_a_reload_keeps_it(low: Project) -> None:
    run(low, UNIT, "up")
    run(low, USER)
    version(low, 2)
    run(low, UNIT, "restart")
    before, other = master(low), next(PORTS)

    listen(low, low.port, other)
    assert "reloaded" in run(low, USER)

    assert master(low) == before
    assert low_ports.may_bind(before)
    with socket.create_connection(("127.0.0.1", other)):
        pass
    mighty = {title[:12] for pid, title in leftovers(low.folder) if low_ports.may_bind(pid)}
    assert mighty == {"nginx: maste", "nginx: worke"}


def test_its_access_log_is_rotated_although_the_kernel_hides_its_files_from_the_keeper(low: Project) -> None:
    low.replace("deploy.toml", "[zdd]", '[zdd]\nlog_max = "5K"')
    run(low, UNIT, "up")
    run(low, USER)
    log = low.state / "logs/access/access.log"
    older = log.with_name("access.log.1")

    for _ in range(2):
        before = log.stat().st_ino
        eventually(lambda: low.get("/some") and log.stat().st_ino != before and log.stat().st_size)  # noqa: B023
        eventually(lambda: log.stat().st_mode & 0o777 == 0o640)

    assert older.stat().st_ino == before
    known = older.read_text()
    low.get("/later")
    eventually(lambda: "/later" in log.read_text())
    assert older.read_text() == known
    assert "/later" in run(low, USER, "logs", "--access")


def test_a_killed_master_is_replaced_by_the_unit_and_that_costs_only_what_a_reload_does(low: Project) -> None:
    listen(low, low.port, next(PORTS))
    run(low, UNIT, "up")
    run(low, USER)
    os.kill(master(low), signal.SIGKILL)
    with low.load(**LIGHT) as visitors:
        version(low, 2)
        assert "unchanged" in run(low, USER)
        listen(low, low.port, next(PORTS))
        assert " is root's" in run(low, USER, code=2)
        listen(low, low.port)
        assert "`sudo zddeploy enable` starts the unit that may take over from them" in run(low, USER, code=1)
        assert "nginx: started" in run(low, UNIT, "up")
        report = visitors.stop()
    assert low_ports.may_bind(master(low))
    assert_only_reloads_cost(report)
    assert "reloaded" in run(low, USER)
