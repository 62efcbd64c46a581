"""
Another hand on nginx while a deploy runs at 200 requests a second: nobody is lost, and the exit code is true.

The names G12, H9, N10 and X1 to X14 are those of reports from real life.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.machine import free_port
from tests.waiting import eventually
from zdd.host.process import Process
from zdd.nginx.process import running

from .at_load import BUSY, behind_template, deploy_at_load
from .foreign_nginx import CONF, WORKERS, Foreign, configured, said, started, workers_of
from .project import (
    PLAIN,
    PLAIN_TCP,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    configure,
    service,
    version,
)
from .slow_nginx import SlowNginx

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run workers as others"),
    pytest.mark.usefixtures("each_nginx"),
]
MATRIX = pytest.mark.matrix
BOTH = pytest.mark.parametrize("run", [PLAIN, pytest.param(PLAIN_TCP, marks=MATRIX)], ids=["fd", "tcp"])


def in_own(project: Project, foreign: Foreign, run: dict[str, str]) -> tuple[Path, Path]:
    configure(project, service("web", **run, keep_warm="0s", health_path="/"))
    project.zddeploy()
    return project.state / "nginx/nginx.conf", project.runtime / "nginx.pid"


def in_template(project: Project, foreign: Foreign, run: dict[str, str]) -> tuple[Path, Path]:
    behind_template(project, "", service("web", **run, keep_warm="0s", health_host="www.test", health_path="/"))
    project.zddeploy()
    return project.folder / "nginx.conf", project.runtime / "nginx.pid"


def in_include(project: Project, foreign: Foreign, run: dict[str, str]) -> tuple[Path, Path]:
    foreign.start()
    configured(project, foreign, run=run)
    project.zddeploy()
    foreign.lead()
    return project.folder / "upstreams.conf", foreign.pid_file


Way = Callable[[Project, Foreign, dict[str, str]], tuple[Path, Path]]
WAYS = pytest.mark.parametrize(
    "way", [in_own, pytest.param(in_template, marks=MATRIX), in_include], ids=["own", "template", "include"]
)


def master(pid_file: Path) -> int:
    return int(pid_file.read_text())


@WAYS
@BOTH
@pytest.mark.parametrize("command", ["up", "deploy"])
def test_a_text_of_another_hands_is_put_back_before_it_costs_anybody_anything(
    project: Project, foreign: Foreign, way: Way, run: dict[str, str], command: str
) -> None:
    """G12: it lay there until the next reload of anybody's, and then every request was answered 502."""
    file, _ = way(project, foreign, run)
    file.write_text(
        file.read_text().replace("/current/web/00", "/nobody").replace("server 127.0.0.1:", "server 127.0.0.9:")
    )

    assert f"{file.name} is not what zdd has written: somebody else has changed it" in said(project, "status", code=1)
    version(project, 1 if command == "up" else 2)
    with project.load(host="www.test", **BUSY) as load:
        project.zddeploy(command)
        report = load.stop()

    assert_only_reloads_cost(report)
    project.zddeploy("status")
    assert "nobody" not in file.read_text()
    assert list(report.answered) == (["1"] if command == "up" else ["1", "2"])


def test_a_second_project_at_a_taken_port_costs_the_first_one_nothing(project: Project) -> None:
    """N10."""
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    second = Project()
    try:
        second.port = project.port
        configure(second, service("api", **PLAIN))
        version(second, 2)
        with project.load(**BUSY) as load:
            assert f"port {project.port} is taken by the nginx (process" in said(second, code=2)
            report = load.stop()
    finally:
        second.end()

    assert_nothing_lost(report)
    assert report.reconnects == 0
    assert list(report.answered) == ["1"]


def test_a_second_project_at_the_same_include_costs_the_first_one_nothing(project: Project, foreign: Foreign) -> None:
    """H9: each took the site from the other."""
    in_include(project, foreign, PLAIN)
    second = Project()
    try:
        configured(second, foreign)
        second.replace("deploy.toml", 'include = "upstreams.conf"', f'include = "{project.folder}/upstreams.conf"')
        version(second, 2)
        with project.load(**BUSY) as load:
            assert f"{project.folder}/deploy.toml" in said(second, code=2)
            report = load.stop()
    finally:
        second.end()

    assert_nothing_lost(report)
    assert list(report.answered) == ["1"]


@MATRIX
def test_another_hands_reload_just_before_ours_does_not_pass_for_it(project: Project, foreign: Foreign) -> None:
    """X1, in an nginx that somebody else runs and whose text takes 3 s to read."""
    in_include(project, foreign, PLAIN_TCP)
    project.replace("deploy.toml", f'test = "{foreign.program} -t -q -c {foreign.main}"', 'test = "true"')
    with SlowNginx(project.folder / "site-slow.conf", 3), project.load(**BUSY) as load:
        for number in (2, 3):
            version(project, number)
            deploy = project.beside()
            time.sleep(0.1)
            os.kill(foreign.master, signal.SIGHUP)
            assert deploy.wait(60) == 0, deploy.said()
        time.sleep(3)
        report = load.stop()

    assert_only_reloads_cost(report)
    assert list(report.answered) == ["1", "2", "3"]


@pytest.mark.parametrize("way", [in_own, pytest.param(in_include, marks=MATRIX)], ids=["own", "include"])
def test_while_it_is_not_known_which_text_runs_both_versions_stay(project: Project, foreign: Foreign, way: Way) -> None:
    """X2: a reload that has not shown itself is neither done nor refused; `recover` ends it when it is known."""
    _, pid_file = way(project, foreign, PLAIN_TCP)
    version(project, 2)
    busy = master(pid_file)
    with project.load(**BUSY) as load:
        os.kill(busy, signal.SIGSTOP)
        try:
            assert "no new worker came within" in said(project, code=5)
            assert sorted(project.instances()) == ["web-1", "web-2"]
            assert "no new worker came within" in said(project, "recover", code=5)
            assert sorted(project.instances()) == ["web-1", "web-2"]
        finally:
            os.kill(busy, signal.SIGCONT)
        project.zddeploy("recover")
        assert list(project.serving()) == ["web-1"]
        eventually(lambda: list(project.instances()) == ["web-1"])
        time.sleep(1)
        report = load.stop()

    assert_only_reloads_cost(report)
    assert project.status()["problems"] == []
    assert "X-Release: 1" in project.get()


@WAYS
@pytest.mark.parametrize("run", [PLAIN, PLAIN_TCP], ids=["fd", "tcp"])
def test_while_nginxs_program_is_replaced_nobody_is_lost(
    project: Project, foreign: Foreign, way: Way, run: dict[str, str]
) -> None:
    """X3: the old master's workers kept the old port."""
    _, pid_file = way(project, foreign, run)
    old = master(pid_file)
    version(project, 2)
    with project.load(host="www.test", **BUSY) as load:
        with replaced(pid_file):
            result = project.events(code=0 if run is PLAIN else 2)[-1]
        project.zddeploy()
        report = load.stop()

    if run is PLAIN_TCP:
        assert f"processes {old} and {master(pid_file)} both take requests" in result["cause"]
    assert_only_reloads_cost(report)
    assert list(report.answered) == ["1", "2"]


@contextmanager
def replaced(pid_file: Path) -> Iterator[None]:
    """Have nginx's program replaced by itself: both masters take requests, until the old one is told to end."""
    old = master(pid_file)
    os.kill(old, signal.SIGUSR2)
    eventually(lambda: pid_file.read_text().strip() not in ("", str(old)))
    eventually(lambda: workers_of(master(pid_file)))
    try:
        yield
    finally:
        os.kill(old, signal.SIGQUIT)
        eventually(lambda: Process.find(old) is None)


def test_a_refused_text_that_another_hands_reload_has_read_is_not_left_there(
    project: Project, foreign: Foreign
) -> None:
    """X4: nginx ran the refused text; once the version was drained every request was answered 502."""
    in_include(project, foreign, PLAIN_TCP)
    project.replace(
        "deploy.toml",
        f'test = "{foreign.program} -t -q -c {foreign.main}"',
        f'test = "touch {project.folder}/at-it; sleep 1; false"',
    )
    version(project, 2)
    with project.load(**BUSY) as load:
        deploy = project.beside()
        eventually((project.folder / "at-it").exists)
        os.kill(foreign.master, signal.SIGHUP)
        assert deploy.wait(60) == 1, deploy.said()
        eventually(lambda: list(project.instances()) == ["web-1"])
        time.sleep(1)
        report = load.stop()

    assert_only_reloads_cost(report)
    assert "X-Release: 1" in project.get()
    assert project.status()["problems"] == []


def test_with_two_nginx_a_reload_that_fails_silently_is_not_done(project: Project, foreign: Foreign) -> None:
    """X5: "its processes cannot be seen here", exit 0, and 502 for all."""
    foreign.start()
    configured(project, foreign, pid_file=False, run=PLAIN_TCP)
    project.zddeploy()
    foreign.lead()
    with another_nginx(project, foreign), taken_port() as port:
        project.write("site-other.conf", f"server {{ listen 127.0.0.1:{port}; }}\n")
        version(project, 2)
        with project.load(**BUSY) as load:
            project.zddeploy(code=5)
            assert sorted(project.instances()) == ["web-1", "web-2"]
            project.write("site-other.conf", "")
            keys = 'pid_file = "nginx.pid"\n[service.web]'
            project.replace("deploy.toml", "[service.web]", keys)
            project.zddeploy("recover")
            eventually(lambda: list(project.instances()) == ["web-1"])
            time.sleep(1)
            report = load.stop()

    assert_only_reloads_cost(report)
    assert "X-Release: 1" in project.get()


@contextmanager
def another_nginx(project: Project, foreign: Foreign) -> Iterator[None]:
    """Have another nginx include the same file, for visitors of its own."""
    folder = project.folder / "second"
    folder.mkdir()
    text = CONF.replace("FOLDER/nginx", f"{folder}/nginx").replace("FOLDER", str(project.folder))
    conf = project.write("second/nginx.main", text.replace("USER", "www-data").replace("site*", "none*"))
    subprocess.run([foreign.program, "-c", str(conf)], check=True, capture_output=True, timeout=30)
    found = Process.find(started(folder / "nginx.pid"))
    assert found
    yield
    found.signal(signal.SIGTERM)
    assert found.wait(30)


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that another program has, so that nginx cannot bind it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_reload_that_fails_for_another_sites_fault_holds_up_only_what_needs_one(
    project: Project, foreign: Foreign
) -> None:
    """X11: exit 5 after 40 s, and then every deploy and rollback, although they need no reload."""
    foreign.start()
    configured(project, foreign, keep_warm="60s")
    project.zddeploy()
    foreign.lead()
    before = (project.folder / "deploy.toml").read_text()
    with taken_port() as port:
        project.write("site-other.conf", f"server {{ listen 127.0.0.1:{port}; }}\n")
        project.write("deploy.toml", before + service("api", **PLAIN_TCP, keep_warm="0s"))
        version(project, 2)
        with project.load(**BUSY) as load:
            refused = project.events(code=1)[-1]
            project.write("deploy.toml", before)
            version(project, 3)
            project.zddeploy()
            project.zddeploy("rollback")
            report = load.stop()

    assert f"bind() to 127.0.0.1:{port} failed" in refused["cause"]
    assert_nothing_lost(report)
    assert {"1", "3"} <= set(report.answered)


def test_another_sites_old_worker_holds_up_no_deploy(project: Project, foreign: Foreign) -> None:
    """X14: for a socket no worker has to end; it took all of the time that a drain may."""
    foreign.start()
    configured(project, foreign, drain_timeout="10m")
    project.zddeploy()
    other = free_port()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        upstream = silent.getsockname()[1]
        site = f"server {{ listen 127.0.0.1:{other}; location / {{ proxy_pass http://127.0.0.1:{upstream}; }} }}\n"
        project.write("site-other.conf", site)
        foreign.lead()
        with socket.create_connection(("127.0.0.1", other)) as download:
            download.sendall(b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n")
            accepted, _ = silent.accept()
            os.kill(foreign.master, signal.SIGHUP)
            found = Process.find(foreign.master)
            assert found
            eventually(lambda: is_shutting_down(found))
            version(project, 2)
            result, report = deploy_at_load(project)
            assert is_shutting_down(found)
            accepted.close()

    assert result["unproved"] == []
    assert_nothing_lost(report)
    assert list(report.answered) == ["1", "2"]
    assert list(project.instances()) == ["web-2"]


def is_shutting_down(found: Process) -> bool:
    """Whether an old worker of this nginx still has a client, and none takes another one."""
    taking = running.workers(found)
    return len(taking) == WORKERS and len(running.workers(found, shutting_down=True)) > WORKERS
