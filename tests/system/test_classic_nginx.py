"""nginx refuses, is dead, or is not who its pid file says: the old version serves, or nginx is brought back."""

from __future__ import annotations

import os
import signal
import socket
import time

import pytest

from tests.machine import free_port
from tests.waiting import eventually
from zdd.host.process import Process

from .classic import ClassicProject, bystander, light_load


def test_a_template_that_nginx_refuses_changes_nothing(classic: ClassicProject) -> None:
    classic.zddeploy()
    before = classic.traces()
    classic.release("2")
    classic.template("web", more="no_such_directive on;")

    with light_load(classic):
        result = classic.zddeploy(code=1)

    assert f"nginx refuses the new {classic.folder}/nginx.conf: unknown directive" in result.stderr
    assert "deploy 1 still serves" in result.stderr
    assert classic.traces() == before
    assert "web 1" in classic.get()


def test_a_port_that_somebody_else_has_is_told_of_and_the_old_configuration_stays(classic: ClassicProject) -> None:
    classic.zddeploy()
    before = classic.traces()
    with socket.create_server(("127.0.0.1", free_port())) as somebody:
        taken = somebody.getsockname()[1]
        classic.template("web", more=f"listen 127.0.0.1:{taken};")

        with light_load(classic):
            result = classic.zddeploy(code=2)

    assert f"port {taken} is taken by process {os.getpid()}" in result.stderr
    assert classic.traces() == before

    classic.zddeploy()  # the port is free now
    assert classic.nginx_pids()[0] in {found.pid for found in before[1]}


def test_the_port_of_the_first_deploy_is_taken(classic: ClassicProject) -> None:
    with socket.create_server(("127.0.0.1", classic.port)):
        result = classic.zddeploy(code=2)

    assert f"port {classic.port} is taken by process {os.getpid()}" in result.stderr
    assert classic.traces() == ({}, set())


def test_whoever_connects_after_a_deploy_meets_the_new_version(classic: ClassicProject) -> None:
    classic.zddeploy()
    for version in "23456":
        classic.release(version)
        classic.zddeploy()
        answers = {classic.get().splitlines()[-1] for _ in range(10)}

        assert answers == {f"web {version}"}


@pytest.mark.parametrize("pid_file", ["stale", "empty", "none"])
def test_an_nginx_that_does_not_run_is_started(classic: ClassicProject, pid_file: str) -> None:
    classic.zddeploy()
    classic.kill_nginx()
    path = classic.folder / "nginx.pid"
    if pid_file == "empty":
        path.write_text("")
    elif pid_file == "none":
        path.unlink()
    classic.release("2")

    classic.zddeploy()

    assert "web 2" in classic.get()
    assert Process.find(classic.nginx_pids()[0])


def test_an_nginx_that_did_not_run_does_not_run_after_a_failed_deploy_either(classic: ClassicProject) -> None:
    classic.zddeploy()
    classic.kill_nginx()
    before = classic.traces()
    classic.configure(web={"health_path": "/missing", "health_host": "shop"})
    classic.replace("nginx.conf.template", "location / {", "location / { return 502; } location /other {")

    result = classic.zddeploy(code=1)

    assert "nginx answers 502 for GET /missing with Host shop" in result.stderr
    after = classic.traces()
    after[0].pop(str(classic.folder / "nginx.pid"), None)
    before[0].pop(str(classic.folder / "nginx.pid"), None)  # nginx itself removes it when it is stopped
    assert after == before


def test_a_pid_file_of_nginx_that_names_somebody_else_is_never_believed(classic: ClassicProject) -> None:
    classic.zddeploy()
    classic.kill_nginx()
    with bystander() as pid:
        classic.write("nginx.pid", f"{pid}\n")
        classic.release("2")

        classic.zddeploy()

        assert classic.nginx_pids()[0] != pid
        assert "web 2" in classic.get()
        classic.kill_nginx()
        classic.write("nginx.pid", f"{pid}\n")
        assert classic.status()["nginx"]["pid"] is None
        classic.zddeploy("down")


def test_an_empty_pid_file_of_a_running_nginx_costs_no_request(classic: ClassicProject) -> None:
    classic.zddeploy()
    master = classic.nginx_pids()[0]
    classic.write("nginx.pid", "")
    classic.release("2")

    with light_load(classic, reloads=True):
        result = classic.zddeploy(code=None)

    assert (result.returncode, "web 2" in classic.get()) in [(0, True), (1, False)]
    classic.write("nginx.pid", f"{master}\n")


def test_a_killed_master_whose_workers_serve_on_costs_no_request(classic: ClassicProject) -> None:
    classic.zddeploy()
    master, *workers = classic.nginx_pids()
    os.kill(master, signal.SIGKILL)
    eventually(lambda: not Process.find(master))
    classic.release("2")

    with light_load(classic, reloads=True):
        result = classic.zddeploy(code=None)
        time.sleep(0.5)

    assert (result.returncode, "web 2" in classic.get()) in [(0, True), (1, False)]
    for pid in workers:
        if found := Process.find(pid):
            found.signal(signal.SIGKILL)


def test_the_last_good_text_is_what_nginx_runs_and_other_braces_stay(classic: ClassicProject) -> None:
    classic.zddeploy()

    text = (classic.folder / "nginx.conf").read_text()

    assert f"pid {classic.folder}/nginx.pid;" in text
    assert f"server 127.0.0.1:{(classic.folder / f'{classic.pid()}.port').read_text().strip()};" in text
    assert """'{"host": "$host", "port": "{port}"}'""" in text
    assert not list(classic.folder.glob("nginx.conf.*.test"))
