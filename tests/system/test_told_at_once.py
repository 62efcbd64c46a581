"""The cause of a refusal is told at once, and nobody is held while a version that ignores its stop signal is ended."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from tests.machine import free_port, patiently
from tests.waiting import eventually
from zdd.host.process import Process

from .project import PLAIN, PLAIN_TCP, PLAIN_UNIX, WORKER, Beside, Project, configure, leftovers, service, version
from .stranger import MALLORY, attacking, needs_root

STUBBORN = "python -S broken.py answers_500_and_ignores_sigterm {fd}"
KEYS = {"health_path": "/health", "start_timeout": "5s", "stop_timeout": "50s"}  # the app needs some of it to answer
CAUSE = "GET /health was answered 500, wanted 200-299: out of order"


def born(project: Project) -> list[int]:
    return [int(line) for line in (project.folder / "born").read_text().split()]


def test_a_refused_version_that_ignores_its_stop_signal_holds_nobody(project: Project) -> None:
    """Its keeper goes on, alone; meanwhile the next version can be deployed."""
    project.write("born", "")
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    configure(project, service("web", run=STUBBORN, **KEYS | {"stop_timeout": "1h"}))
    version(project, 2)

    refused = project.zddeploy(code=1)

    assert CAUSE in refused.stderr
    assert "deploy 1 still serves" in refused.stderr
    assert "web-2 has not ended yet, and nobody has to wait: it is killed within 3600 s" in refused.stdout
    (app,) = (found for pid in born(project) if (found := Process.find(pid)))
    assert project.instances()["web-2"]["state"] == "stopping"
    assert "nothing was interrupted; shop serves deploy 1" in project.zddeploy("recover").stdout
    assert project.status()["state"] == "serving"
    configure(project, service("web", **PLAIN, stop_timeout="1h"))
    version(project, 3)
    project.zddeploy()
    assert "web 3" in project.get()
    assert project.instances()["web-2"]["state"] == "stopping"
    app.signal(9)
    eventually(lambda: not list((project.runtime / "control").glob("web-2.*")))
    assert not (project.runtime / "instances/web-2").exists()


def test_the_cause_is_an_event_before_the_undo_and_the_keeper_kills_what_ignores_its_signal(project: Project) -> None:
    project.write("born", "")
    configure(project, service("web", run=STUBBORN, **KEYS | {"stop_timeout": "2s"}))

    events = project.events(code=1)

    kinds = [event["event"] for event in events]
    failed, result = events[kinds.index("failed")], events[-1]
    assert [event["step"] for event in events[kinds.index("failed") :] if event["event"] == "doing"] == ["undo"]
    assert CAUSE in failed["cause"]
    assert failed["log"].endswith("web-1.log")
    assert (result["event"], result["cause"], result["exit"]) == ("result", failed["cause"], 1)
    assert kinds.count("failed") == kinds.count("result") == 1
    eventually(lambda: leftovers(project.folder) == [])


def test_two_versions_of_a_stop_first_service_never_run_at_once_so_its_refused_one_is_waited_for(
    project: Project,
) -> None:
    project.write("born", "")
    keys = KEYS | {"stop_timeout": "3s", "order": "stop-first"}
    configure(project, service("web", run=STUBBORN, **keys))  # a first version, which replaces none

    refused = project.zddeploy(code=1)

    assert CAUSE in refused.stderr
    assert [pid for pid in born(project) if Process.find(pid)] == []
    assert "has not ended yet" not in refused.stdout


@pytest.mark.parametrize("keys", [PLAIN, PLAIN_UNIX], ids=["fd", "unix"])
def test_a_version_that_ends_when_it_is_told_to_is_gone_when_the_command_ends(
    project: Project, keys: dict[str, str]
) -> None:
    configure(project, service("web", **keys))
    project.zddeploy()
    configure(project, service("web", **keys, health_path="/nothing", health_status="418", start_timeout="5s"))

    def attempt(number: float) -> None:
        version(project, number)
        refused = project.zddeploy(code=1)
        assert "wanted 418" in refused.stderr
        assert "has not ended yet" not in refused.stdout

    patiently(attempt, 2, 3, 4)  # the app gets a second to end, and a machine that stands still may take that from it
    eventually(lambda: [path.name for path in (project.runtime / "control").glob("*.json")] == ["web-1.json"])


def test_many_that_have_not_ended_take_one_line(project: Project) -> None:
    project.write("born", "")
    configure(project, service("web", run=STUBBORN, instances=7, **KEYS))

    refused = project.zddeploy(code=1)

    names = "web-1, web-2, web-3, web-4, web-5 and 2 more"
    assert f"{names} have not ended yet, and nobody has to wait: they are killed within 50 s" in refused.stdout
    for pid in born(project):
        if found := Process.find(pid):
            found.signal(9)


def test_one_that_visitors_may_have_met_drains_and_ends_without_holding_anybody(project: Project) -> None:
    project.write("born", "")
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    run = "python -S broken.py serves_and_ignores_sigterm {fd}"
    configure(project, service("web", run=run, stop_timeout="5s", drain_timeout="7s"), after_switch="exit 3")

    refused = project.zddeploy(code=1)

    assert "after_switch `exit 3` ended with exit status 3" in refused.stderr
    assert "web-2 has not ended yet, and nobody has to wait: it is killed within " in refused.stdout
    assert "nothing was interrupted; shop serves deploy 1" in project.zddeploy("recover").stdout
    eventually(lambda: list(project.instances()) == ["web-1"])


def test_a_port_that_the_next_version_may_need_is_free_when_the_command_ends(project: Project) -> None:
    project.write("born", "")
    port = free_port()
    keys = {"health_path": "/health", "stop_timeout": "3s", "env": {"TAKEN": str(port)}}
    run = "python -S broken.py serves_and_ignores_sigterm {fd}"
    configure(project, service("web", run=run, **keys, health_status="418", start_timeout="1s"))

    refused = project.zddeploy(code=1)

    waits = f"web-1 is waited for, at most 3 s: it still has port {port}, which the next version may need"
    assert waits in refused.stdout
    assert "nobody has to wait" not in refused.stdout
    assert [pid for pid in born(project) if Process.find(pid)] == []
    configure(project, service("web", run=run, **keys))
    project.zddeploy()


@pytest.mark.parametrize("keys", [PLAIN, PLAIN_TCP, WORKER | {"min_uptime": "60s"}], ids=["fd", "tcp", "none"])
def test_a_keeper_that_is_killed_while_its_app_starts_is_noticed_at_once(
    project: Project, keys: dict[str, str]
) -> None:
    hangs = {"run": keys["run"].replace("plain.py", "broken.py hangs"), "start_timeout": "60s"}
    project.write("born", "")
    configure(project, service("web", **keys | hangs))
    deploy = project.beside()
    eventually(lambda: pids(project)["app"])

    Process(*pids(project)["keeper"]).signal(9)

    assert deploy.wait(60) == 1
    assert "zddeploy: web: the process of zdd that runs it has ended: was it killed?\n" in deploy.said()
    eventually(lambda: leftovers(project.folder) == [])


@needs_root[0]
@needs_root[1]
def test_another_users_program_on_the_apps_port_is_named_at_once(project: Project) -> None:
    project.write("born", "")
    run = "python -S broken.py hangs {port}"
    configure(project, service("web", run=run, socket="tcp", health_path="/", start_timeout="60s"))
    deploy = project.beside()
    eventually(lambda: pids(project)["app"])

    with attacking(STRANGER, str(pids(project)["port"])):
        assert deploy.wait(60) == 1

    assert f"of user {MALLORY.pw_uid} listens on 127.0.0.1:" in deploy.said()
    assert "end it; `ss -ltnp` shows who listens where" in deploy.said()


class Proxy(BaseHTTPRequestHandler):
    """What listens for an app in a container."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


@needs_root[0]
@needs_root[1]
def test_a_program_of_root_s_on_the_apps_port_is_accepted_and_told(project: Project) -> None:
    configure(project, service("web", run="sh -c 'sleep 600' {port}", socket="tcp", health_path="/"))
    deploy = project.beside()
    eventually(lambda: pids(project)["app"])

    with HTTPServer(("127.0.0.1", int(pids(project)["port"])), Proxy) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        assert deploy.wait(60) == 0, deploy.said()
        proxy.shutdown()

    assert f"process {os.getpid()} " in deploy.said()
    assert "of root listens on 127.0.0.1:" in deploy.said()
    assert "and not the app; that is right for a container's proxy alone" in deploy.said()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("way", "keys", "begun"),
    [
        ("keeps_proxies_waiting", {}, lambda project, deploy: '"step":"check"' in deploy.said()),
        ("hangs_in_the_bake", {"bake": "5m"}, lambda project, deploy: (project.folder / "asked").exists()),
    ],
    ids=["gate", "bake"],
)
def test_a_signal_is_obeyed_while_the_new_version_does_not_answer(
    project: Project, number: int, way: str, keys: dict[str, str], begun: Callable[[Project, Beside], bool]
) -> None:
    project.write("born", "")
    configure(project, service("web", **PLAIN))
    project.zddeploy()
    keys = {"health_path": "/health", "health_timeout": "90s", **keys}
    configure(project, service("web", run=f"python -S broken.py {way} {{fd}}", **keys), after_switch="touch baking-2")
    deploy = project.beside("--json")
    eventually(lambda: begun(project, deploy))

    deploy.send_signal(number)

    assert deploy.wait(60) == 1
    assert f"zddeploy: interrupted by {signal.Signals(number).name}\n" in deploy.said()
    assert "deploy 1 still serves" in deploy.said()


def pids(project: Project) -> dict[str, Any]:
    """What the keeper of the first instance has recorded, once it has."""
    found: dict[str, Any] = json.loads((project.runtime / "control/web-1.pids").read_text())
    return found


STRANGER = """
import socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen()
print("ready", flush=True)
while True:
    with listener.accept()[0] as connection:
        connection.recv(9999)
        connection.sendall(b"HTTP/1.1 503 No\\r\\nContent-Length: 0\\r\\n\\r\\n")
"""
