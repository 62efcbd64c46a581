"""
Workers that take requests on nginx's sockets and that no reload of it reaches, whoever's children they are.

Each case at 200 requests a second: nobody is lost, and exit 0 means that every worker leads to the new version.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import eventually
from zdd.host.process import Process
from zdd.nginx.process import running, takeover

from .at_load import BUSY
from .foreign_nginx import Foreign, said, started, workers_of
from .project import PLAIN, PLAIN_TCP, Call, Project, assert_only_reloads_cost, version
from .test_another_hand import MATRIX, WAYS, Way, in_include, in_own, master, replaced

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can run workers as others"),
    pytest.mark.usefixtures("each_nginx"),
]


@WAYS
@pytest.mark.parametrize("run", [pytest.param(PLAIN, marks=MATRIX), PLAIN_TCP], ids=["fd", "tcp"])
def test_workers_whose_master_was_killed_while_it_was_replaced_are_not_passed_over(
    project: Project, foreign: Foreign, way: Way, run: dict[str, str]
) -> None:
    """They kept the old port: exit 0, and 502 for all whom they answered. zdd ends its own, and names the others."""
    _, pid_file = way(project, foreign, run)
    with orphaned(pid_file) as orphans, project.load(host="www.test", **BUSY) as load:
        version(project, 2)
        if way is in_include and run is PLAIN_TCP:
            refused = project.zddeploy(code=None)
            words = " ".join(refused.stderr.split())
            if any(orphan.alive() for orphan in orphans):  # else they have ended by themselves within its patience
                assert refused.returncode == 2
                assert "whose master is gone, take requests beside process" in words
                assert all(str(orphan.pid) in words for orphan in orphans)
            end(orphans)
        project.zddeploy()
        if run is PLAIN_TCP:
            eventually(lambda: not any(orphan.alive() for orphan in orphans))
        report = load.stop()

    assert_only_reloads_cost(report)
    assert list(report.answered) == ["1", "2"]


@contextmanager
def orphaned(pid_file: Path) -> Iterator[list[Process]]:
    """Have nginx's program replaced, and kill the old master meanwhile: its workers serve on."""
    old = Process.find(master(pid_file))
    assert old
    workers = running.workers(old)
    old.signal(signal.SIGUSR2)
    eventually(lambda: pid_file.read_text().strip() not in ("", str(old.pid)))
    eventually(lambda: workers_of(master(pid_file)))
    old.signal(signal.SIGKILL)
    assert old.wait(30)
    assert workers
    try:
        yield workers
    finally:
        end(workers)


def end(workers: list[Process]) -> None:
    for worker in workers:
        worker.signal(signal.SIGQUIT)
    for worker in workers:
        assert worker.wait(30)


@pytest.mark.parametrize("shared", ["inherited", pytest.param("reuseport", marks=MATRIX)])
def test_a_second_nginx_with_the_same_sockets_is_refused_beforehand(
    project: Project, foreign: Foreign, shared: str
) -> None:
    """As two units of one systemd socket have them: neither is the other's child, and pid_file names one."""
    in_include(project, foreign, PLAIN_TCP)
    if shared == "reuseport":
        project.replace("site.conf", f"127.0.0.1:{project.port}", f"127.0.0.1:{project.port} reuseport")
        foreign.reload()
    with second(project, foreign, inherits=shared == "inherited") as other:
        version(project, 2)
        with project.load(**BUSY) as load:
            words = said(project, code=2)
            other.signal(signal.SIGQUIT)
            eventually(lambda: not other.alive())
            project.zddeploy()
            report = load.stop()

    assert f"processes {foreign.master} and {other.pid} both take requests" in words
    assert f"kill -QUIT {other.pid}" in words
    assert_only_reloads_cost(report)
    assert list(report.answered) == ["1", "2"]


@contextmanager
def second(project: Project, foreign: Foreign, inherits: bool) -> Iterator[Process]:
    """Start another nginx of the same configuration, whose pid file is another one."""
    text = foreign.main.read_text().replace(f"pid {foreign.pid_file}", f"pid {project.folder}/second.pid")
    conf = project.write("second.main", text)
    first = Process.find(foreign.master)
    assert first
    sockets = takeover.listeners([first], {project.port}) if inherits else []
    environment = os.environ | takeover.environment(sockets)
    command = [foreign.program, "-c", str(conf), "-g", "daemon off;"]
    child = subprocess.Popen(command, env=environment, pass_fds=sockets, stderr=subprocess.DEVNULL)
    for each in sockets:
        os.close(each)
    found = Process.find(started(project.folder / "second.pid"))
    assert found
    try:
        yield found
    finally:
        child.terminate()
        child.wait(30)


@pytest.mark.parametrize("way", [pytest.param(in_own, marks=MATRIX), in_include], ids=["own", "include"])
@pytest.mark.parametrize("ends", [True, pytest.param(False, marks=MATRIX)], ids=["in time", "late"])
def test_a_program_that_is_replaced_while_the_text_is_tested_gets_the_text_as_well(
    project: Project, foreign: Foreign, way: Way, ends: bool
) -> None:
    """The new master had read the old text, and the reload went to one of the two: exit 0, and 502."""
    _, pid_file = way(project, foreign, PLAIN_TCP)
    at_it = slow_test(project, foreign, way)
    version(project, 2)
    with project.load(host="www.test", **BUSY) as load:
        deploy = project.beside()
        eventually(at_it.exists)
        with replaced(pid_file):
            if ends:
                time.sleep(2)  # the test of the text has ended, and our reload has come to one of the two
            else:
                assert deploy.wait(60) == 5, deploy.said()
                assert sorted(project.instances()) == ["web-1", "web-2"]
        if ends:
            assert deploy.wait(60) == 0, deploy.said()
        else:
            project.zddeploy("recover")
            eventually(lambda: list(project.instances()) == ["web-1"])
            time.sleep(0.5)
        report = load.stop()

    assert_only_reloads_cost(report)
    assert f"X-Release: {2 if ends else 1}" in project.get(host="www.test")
    assert project.status()["problems"] == []


def slow_test(project: Project, foreign: Foreign, way: Way) -> Path:
    """Have the test of a text take a second; returns the file that is there once it has begun."""
    at_it = project.folder / "at-it"
    if way is in_include:
        test = f"{foreign.program} -t -q -c {foreign.main}"
        project.replace("deploy.toml", f'test = "{test}"', f'test = "touch {at_it}; sleep 1; {test}"')
    else:
        script = f'#!/bin/sh\ncase "$*" in *-t*) touch {at_it}; sleep 1;; esac\nexec {foreign.program} "$@"\n'
        project.write("nginx-slow", script).chmod(0o755)
        project.replace("deploy.toml", "[nginx]\n", f'[nginx]\nbinary = "{project.folder}/nginx-slow"\n')
    return at_it


def test_an_upload_to_the_replaced_program_still_gets_to_the_version_before(project: Project, foreign: Foreign) -> None:
    """The replaced master's last worker leads to the old port once it has all of the body: it was refused there."""
    in_include(project, foreign, PLAIN_TCP)
    upload = Call(project, "/echo", 4)
    upload.send(b"ab")
    upload.await_read()
    old = Process.find(foreign.master)
    assert old
    old.signal(signal.SIGUSR2)
    eventually(lambda: foreign.pid_file.read_text().strip() not in ("", str(old.pid)))
    eventually(foreign.workers)
    old.signal(signal.SIGQUIT)
    eventually(lambda: not running.workers(old))
    version(project, 2)

    project.zddeploy("--detach")

    assert old.alive()
    time.sleep(2)
    upload.send(b"cd")
    assert "X-Release: 1" in upload.answer()
    eventually(lambda: list(project.instances()) == ["web-2"])
