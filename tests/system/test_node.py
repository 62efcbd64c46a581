"""Node apps that know nothing of zdd are deployed by one rename, as they are."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections import Counter
from typing import Any

import pytest

from tests.machine import free_port, patiently
from tests.waiting import eventually

from .project import (
    THE_SECOND,
    Project,
    assert_nothing_lost,
    configure,
    request,
    service,
    version,
)

NODE = {"run": "node listens.mjs port"}


def deploy(project: Project, run: str, **keys: Any) -> None:
    configure(project, service("web", **{"run": run, "health_path": "/", "start_timeout": "30s", **keys}))
    project.zddeploy()


def about(project: Project, port: int | None = None) -> dict[str, Any]:
    """What the app tells of itself."""
    answer: dict[str, Any] = json.loads(request(port or project.port).partition("\r\n\r\n")[2])
    return answer


def port_of(project: Project, name: str) -> int:
    """The port on which it says that it listens."""
    pattern = rf'{name} listens on .*"port":([0-9]+)'
    eventually(lambda: re.search(pattern, project.log("web-*.log")))
    return int(re.findall(pattern, project.log("web-*.log"))[-1])


@pytest.mark.parametrize(
    ("way", "address"),
    [
        ("port", {"address": "127.0.0.1", "family": "IPv4", "port": 3000}),
        ("options", {"address": "127.0.0.1", "family": "IPv4", "port": 3000}),
        ("nothing", {"address": "127.0.0.1", "family": "IPv4", "port": 0}),
    ],
)
def test_its_first_listen_takes_the_socket_and_looks_as_it_was_asked_for(
    project: Project, way: str, address: object
) -> None:
    deploy(project, f"node listens.mjs {way}")

    told = about(project)
    assert told["address"] == address
    assert told["remoteAddress"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("run", "env"),
    [
        ("node listens.mjs named", {"SOCKET": "/nowhere/socket"}),
        ("node listens.mjs named --socket=/nowhere/socket", {}),
        ("npm start", {"SOCKET": "/nowhere/socket"}),
    ],
)
def test_a_path_that_the_configuration_names_is_the_sites(project: Project, run: str, env: dict[str, str]) -> None:
    project.write("package.json", json.dumps({"scripts": {"start": "node listens.mjs named"}}))
    deploy(project, run, env=env)

    assert about(project)["address"] == "/nowhere/socket"


@pytest.mark.parametrize("way", ["helper", "supervisor"])
def test_a_path_of_the_apps_own_is_left_to_it_and_the_port_that_follows_is_the_sites(
    project: Project, way: str
) -> None:
    deploy(project, f"node listens.mjs {way}", env={"TMPDIR": str(project.folder)})

    assert about(project)["address"]["port"] == 3000
    pipes = re.findall(r'helper listens on "(/.+)"', project.log("web-*.log"))
    assert pipes
    for path in pipes:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            assert connection.recv(100) == b"helper"


def test_an_app_that_listens_only_on_a_path_of_its_own_is_told_how_to_name_it(project: Project) -> None:
    path = f"{project.folder}/own"
    project.write("own.mjs", f"import http from 'node:http'; http.createServer(() => {{}}).listen('{path}')")

    def attempt(seconds: float) -> None:
        configure(project, service("web", run="node own.mjs", start_timeout=seconds))
        said = project.zddeploy(code=1).stderr

        assert f"the app listens on {path}; it must serve on the socket it inherits" in said
        assert "a path that run or env names" in said

    patiently(attempt, 2, 20)


@pytest.mark.parametrize("run", ["npm start", "npm run outer", "npx -c 'node listens.mjs port'"])
def test_what_npm_starts_is_reached_through_npm_and_its_shell(project: Project, run: str) -> None:
    scripts = {"start": "node listens.mjs port", "outer": "npm run start"}
    project.write("package.json", json.dumps({"scripts": scripts}))
    deploy(project, run, env={"NODE_OPTIONS": "--max-http-header-size=20000"})

    told = about(project)
    assert told["pid"] != next(iter(project.serving().values()))
    assert told["options"].endswith(" --max-http-header-size=20000")


def test_later_listens_are_left_alone(project: Project) -> None:
    deploy(project, "node listens.mjs twice")

    assert about(project)["name"] == "web"
    assert about(project, port_of(project, "second"))["name"] == "second"


@pytest.mark.parametrize("way", ["probing", "secure", "thread", "forked"])
def test_it_is_the_first_that_serves_over_http_wherever_in_the_app(project: Project, way: str) -> None:
    deploy(project, f"node listens.mjs {way}")

    assert about(project)["address"]["port"] == 3000


def test_an_app_that_takes_its_socket_itself_is_left_alone(project: Project) -> None:
    deploy(project, "node listens.mjs inherited")

    assert about(project)["name"] == "web"
    assert about(project, port_of(project, "second"))["name"] == "second"


def test_of_two_processes_the_first_has_it(project: Project) -> None:
    deploy(project, "node listens.mjs siblings")

    assert about(project, port_of(project, "second"))["name"] == "second"
    assert {about(project)["name"] for _ in range(20)} == {"first"}


def test_the_workers_of_a_cluster_share_it_and_are_replaced(project: Project) -> None:
    other = free_port()
    deploy(project, "node listens.mjs cluster", env={"OTHER": str(other)})
    seen: Counter[int] = Counter()

    def both_have_answered() -> bool:
        seen[about(project)["pid"]] += 1
        return len(seen) == 2

    eventually(both_have_answered)
    assert about(project)["name"] == "worker"
    assert about(project, port_of(project, "metrics"))["name"] == "metrics"
    assert about(project, other)["name"] == "other"
    for pid in seen:
        os.kill(pid, 9)
    eventually(lambda: about(project)["pid"] not in seen)
    assert list(project.serving()) == ["web-1"]


def test_a_crashed_app_is_restarted_on_its_socket(project: Project) -> None:
    """From files of the instance's own: the package may have been upgraded, or be gone."""
    deploy(project, **NODE)
    hook = project.runtime / "instances/web-1/listen.cjs"
    assert about(project)["options"] == f'--require "{hook}"'
    before = about(project)["pid"]

    with project.load(rate=100, connections=8) as load:
        os.kill(before, 9)
        eventually(lambda: project.instances()["web-1"]["restarts"] == 1 and list(project.serving()) == ["web-1"])
        report = load.stop()

    assert about(project)["pid"] != before
    assert set(report.failed) <= {"5xx"}, report.failures[:5]  # what it was at work on when it was killed
    assert report.total_failed <= 8


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run an app as another user")
def test_an_app_of_another_user_has_it_too(project: Project) -> None:
    configure(project, service("web", **NODE, user="nobody"))
    old = os.umask(0o077)
    try:
        project.zddeploy()
    finally:
        os.umask(old)

    assert about(project)["name"] == "web"


def test_deploys_under_load_lose_nothing_and_close_no_connection(project: Project) -> None:
    project.write("package.json", json.dumps({"scripts": {"start": "node listens.mjs port"}}))
    deploy(project, "npm start", keep_warm="0s")
    with project.load(rate=300) as load:
        for number in range(2, 5):
            version(project, number)
            project.zddeploy()
        time.sleep(THE_SECOND)
        report = load.stop()

    assert_nothing_lost(report)
    assert report.reconnects == 0
    assert list(report.answered) == ["1", "2", "3", "4"]


def test_without_the_runtime_it_is_told_where_the_app_listens_and_what_would_help(project: Project) -> None:
    port = str(free_port())
    run = f"sh -c 'exec node -e \"http.createServer().listen({port})\"'"

    def attempt(seconds: float) -> None:
        configure(project, service("web", run=run, start_timeout=seconds))
        said = project.zddeploy(code=1).stderr

        assert f"the app listens on :::{port}; it must serve on the socket it inherits" in said
        assert 'which runtime = "node" does for it' in said

    patiently(attempt, 2, 20)


def test_a_shell_script_that_runs_node_can_say_so(project: Project) -> None:
    project.write("start.sh", "node listens.mjs port\n")
    deploy(project, "sh start.sh", runtime="node")

    assert about(project)["address"]["port"] == 3000


def test_runtime_none_leaves_node_to_itself(project: Project) -> None:
    deploy(project, "node listens.mjs inherited", runtime="none")

    assert "options" not in about(project)
