"""What apps do to themselves while they serve, and what their visitors notice of it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.waiting import eventually
from zdd.host import process
from zdd.keeper import client
from zdd.load import Kind

from .project import (
    LIGHT,
    PLAIN_TCP,
    WORKER,
    Call,
    Project,
    assert_nothing_lost,
    assert_only_reloads_cost,
    busy,
    configure,
    service,
    version,
)

GUNICORN = {"run": "gunicorn --bind fd://{fd} --no-control-socket --threads 8 --keep-alive 10 wsgi:app"}
HYPERCORN = {"run": "hypercorn --bind fd://{fd} --keep-alive 10 asgi:app"}
FRAIL = {
    "fd": {"run": "python -S frail.py {fd}"},
    "unix": {"run": "python -S frail.py {socket}", "socket": "unix"},
    "tcp": {"run": "python -S frail.py {port}", "socket": "tcp"},
}
BROKEN = "if os.path.exists('broken.' + os.environ['ZDD_INSTANCE']): raise RuntimeError('broken')"
POSTS = (Kind("POST", "/echo", body=200),)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")


def app(project: Project) -> int:
    """The process of the only instance."""
    return int(project.instances()["web-1"]["pid"])


def await_restart(project: Project, number: int) -> None:
    """Wait until the app has been started again so often, and serves."""
    eventually(lambda: project.instances()["web-1"]["restarts"] >= number and project.status()["state"] == "serving")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT], ids=["TERM", "QUIT"])
def test_a_gunicorn_that_is_told_to_end_while_it_serves_is_back_each_time(
    project: Project, number: signal.Signals
) -> None:
    """It unlinks the name of its socket when it ends."""
    configure(project, service("web", **GUNICORN, hold_max="5s"))
    project.zddeploy()

    with project.load(POSTS, **LIGHT) as load:
        for ends in (1, 2, 3):
            os.kill(app(project), number)
            await_restart(project, ends)
        report = load.stop()

    assert set(report.failed) <= {"5xx", "closed", "reset"}, report.failures[:5]
    assert report.total_failed <= 3 * LIGHT["connections"], "only what it was working on"
    time.sleep(6)  # longer than requests may wait
    with project.load(POSTS, **LIGHT) as load:
        time.sleep(1)
        assert_nothing_lost(load.stop())


def test_after_that_a_broken_stop_first_version_leaves_the_old_one_serving(project: Project) -> None:
    stop_first = service("web", **GUNICORN, order="stop-first", hold_max="15s", start_timeout="5s")
    configure(project, stop_first)
    project.replace("wsgi.py", "import os\n", f"import os\n{BROKEN}\n")
    project.zddeploy()
    os.kill(app(project), signal.SIGTERM)
    await_restart(project, 1)

    with project.load(POSTS, **LIGHT) as load:
        project.write("broken.web-2", "")
        said = project.zddeploy(code=1).stderr
        assert_nothing_lost(load.stop())

    assert "RuntimeError: broken" in said
    assert list(project.serving()) == ["web-1"]


def test_a_stall_of_an_app_with_a_short_queue_refuses_nobody(project: Project) -> None:
    """hypercorn's own listen(2) leaves room for a hundred connections."""
    configure(project, service("web", **HYPERCORN))
    project.zddeploy()
    pids = [app(project), *process.descendants(app(project))]

    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    calls = [Call(project, "/") for _ in range(250)]
    time.sleep(2)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)

    answers = [call.answer().split()[1] for call in calls]
    assert {status: answers.count(status) for status in set(answers)} == {"200": 250}


def test_an_app_that_ends_after_so_many_requests_costs_nobody_anything(project: Project) -> None:
    configure(project, service("web", **FRAIL["fd"]))
    project.write("recycle", "60")
    project.zddeploy()

    with project.load((Kind(),), rate=60, connections=8) as load:
        await_restart(project, 5)
        report = load.stop()

    assert set(report.failed) <= {"5xx"}, report.failures[:5]  # it does not wait for what it is working on
    assert report.total_failed <= 5
    assert "it is started again at once" in project.log("web-1.log")


@pytest.mark.parametrize("way", ["fd", "unix"])
def test_requests_wait_while_a_killed_app_needs_a_second_to_start(project: Project, way: str) -> None:
    configure(project, service("web", **FRAIL[way]))
    project.write("slow-start", "1")
    project.zddeploy()

    with project.load(POSTS, rate=60, connections=8) as load:
        for kills in (1, 2, 3):
            os.kill(app(project), signal.SIGKILL)
            await_restart(project, kills)
            time.sleep(0.3)
        report = load.stop()

    # What it was working on, and what comes before its keeper has noticed: that takes longer on a busy machine. Without
    # the keeper, all requests of three seconds fail.
    assert report.total_failed <= 18, report.failures[:5]


@pytest.mark.parametrize("way", ["fd", "unix", "tcp"])
def test_an_app_that_lets_its_socket_go_is_told_and_started_again(project: Project, way: str) -> None:
    configure(project, service("web", **FRAIL[way]))
    project.zddeploy()
    before = app(project)

    project.write("slow-start", "25")  # less than hold_max
    os.kill(before, signal.SIGUSR2)
    eventually(lambda: project.status()["state"] == "down")
    told = project.status()
    project.write("slow-start", "0")
    eventually(lambda: project.status()["state"] == "serving")

    assert app(project) != before
    assert "web 1" in project.get()
    assert (
        any("web-1 should serve but is starting" in problem for problem in told["problems"]) or told["problems"] == []
    )
    assert "the app has let its socket go: it is stopped and started again" in project.log("web-1.log")


def test_an_outage_that_outlasts_hold_max_is_down_until_the_code_is_right(project: Project) -> None:
    configure(project, service("web", **FRAIL["fd"], hold_max="1s"))
    project.zddeploy()
    right = (project.folder / "frail.py").read_text()
    project.write("frail.py", "raise SystemExit('the database is gone')\n")

    os.kill(app(project), signal.SIGKILL)
    eventually(lambda: project.instances()["web-1"]["state"] == "down")
    found = project.zddeploy("status", code=1)
    assert "web-1 is DOWN: its app has not answered for hold_max" in re.sub(r"\s+", " ", found.stdout + found.stderr)
    assert "502" in project.get()
    assert "DOWN" in project.log("web-1.log")
    project.write("frail.py", right)
    eventually(lambda: project.status()["state"] == "serving")

    assert "web 1" in project.get()


def test_recover_starts_again_what_is_down(project: Project) -> None:
    configure(project, service("web", **FRAIL["fd"], hold_max="1s"), service("api", **FRAIL["fd"], path="/api"))
    project.replace("frail.py", "import os\n", f"import os\n{BROKEN}\n")
    project.zddeploy()
    for name in ("web-1", "web-2"):
        project.write(f"broken.{name}", "")
    os.kill(app(project), signal.SIGKILL)
    eventually(lambda: project.instances()["web-1"]["state"] == "down")

    refused = project.zddeploy("recover", code=5)
    assert "RuntimeError: broken" in refused.stderr
    assert "deploy 1 is still in force; web-1 is down" in refused.stderr
    assert "web-1 is DOWN" in project.zddeploy("status", code=1).stdout.replace("\n", " ")
    said = project.zddeploy("recover").stdout

    assert "web: down, starting again now" in said
    assert "web 1" in project.get()
    assert list(project.serving()) == ["web-3"]
    assert list(project.serving("api")) == ["api-1"], "what serves is left alone"
    assert "kept warm" not in said, "it could not serve again"


def test_a_worker_that_is_down_is_none_that_refuses_connections(project: Project) -> None:
    configure(project, service("web", **FRAIL["fd"]), service("jobs", **WORKER))
    project.zddeploy()

    os.kill(next(iter(project.serving("jobs").values())), signal.SIGKILL)
    eventually(lambda: project.instances("jobs")["jobs-1"]["restarts"] == 1)

    eventually(lambda: project.status()["state"] == "serving")


def test_websockets_do_not_hold_up_those_who_wait_for_a_stop_first_deploy(project: Project) -> None:
    configure(project, service("web", **FRAIL["fd"], order="stop-first"))
    project.zddeploy()
    sockets = [websocket(project) for _ in range(3)]
    time.sleep(21)  # by then it is sure that they stay
    [call] = busy(project, 3)

    with project.load(POSTS, rate=60, connections=8, timeout=10) as load:
        version(project, 2)
        said = project.zddeploy().stdout
        assert_nothing_lost(load.stop())

    assert "web-1: 3 connections open for 10 s or longer, such as WebSockets: cut after 2 s" in re.sub(
        r"\s+", " ", said
    )
    assert "200 OK" in call.answer(), "a request that was under way"
    assert "3 connections cut" in said
    for one in sockets:
        one.close()


def websocket(project: Project) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", project.port), 60)
    made.sendall(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    assert b"101" in made.recv(1000)
    return made


# Strangers

LISTEN = """
import os, socket, sys, time
os.setgid(65534); os.setuid(65534)
while True:
    try:
        thief = socket.socket(); thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("127.0.0.1", int(sys.argv[1]))); thief.listen(); break
    except OSError:
        time.sleep(0.01)
print("listens", flush=True)
while True:
    with thief.accept()[0] as client:
        client.recv(1000); client.sendall(b"HTTP/1.0 200 OK\\r\\nX-Release: stolen\\r\\n\\r\\nstolen")
"""


@pytest.fixture
def thief() -> Iterator[Callable[[int], subprocess.Popen[bytes]]]:
    """Another user who listens on a port as soon as that can be done."""
    made: list[subprocess.Popen[bytes]] = []

    def steal(port: int) -> subprocess.Popen[bytes]:
        made.append(subprocess.Popen([sys.executable, "-c", LISTEN, str(port)], stdout=subprocess.PIPE))
        return made[-1]

    yield steal
    for child in made:
        child.kill()
        child.communicate()


@needs_root
def test_another_user_on_the_port_of_a_new_version_takes_nobody(
    project: Project, thief: Callable[[int], subprocess.Popen[bytes]]
) -> None:
    configure(project, service("web", **PLAIN_TCP))
    project.zddeploy()
    version(project, 2)
    project.replace("plain.py", "def main(where):\n", "def main(where):\n    time.sleep(5)\n")

    with project.load((Kind(),), **LIGHT) as load:
        deploying = project.beside()
        eventually(lambda: port_of(project, "web-2"))
        taken = thief(port_of(project, "web-2"))
        assert taken.stdout
        assert taken.stdout.readline() == b"listens\n"
        assert deploying.wait(60) == 1
        report = load.stop()

    assert list(report.answered) == ["1"]
    assert_only_reloads_cost(report)
    assert "of user 65534 listens on 127.0.0.1" in deploying.said()
    assert "web 1" in project.get()


def port_of(project: Project, name: str) -> int:
    return client.pids(f"{project.runtime}/control/{name}.pids").port or 0


@pytest.mark.parametrize("way", ["fd", "unix", "tcp"])
def test_connections_that_wait_beside_a_busy_app_are_told_and_it_is_let_be(project: Project, way: str) -> None:
    """It serves one request at a time, and that one takes long: nobody is served meanwhile, and nothing has ended."""
    configure(project, service("web", **FRAIL[way] | {"run": FRAIL[way]["run"].replace("frail", "single")}))
    single = "import sys, plain\nplain.serve = None\nlistener = plain.listen(sys.argv[1])\n"
    project.write("single.py", single + "while True:\n    plain.converse(listener.accept()[0])\n")
    project.zddeploy()
    (call,) = busy(project, "done")
    calls = [Call(project, f"/{number}") for number in range(2)]

    eventually(lambda: project.status()["state"] == "degraded")
    told = re.sub(r"\s+", " ", project.zddeploy("status", code=1).stdout)

    assert re.search(r"! 2 connections wait and web-1 has accepted none for \d+ s: it is busy, or hangs", told)
    project.write("done", "")
    assert [each.answer().splitlines()[-1] for each in (call, *calls)]
    eventually(lambda: project.status()["state"] == "serving")
    assert project.instances()["web-1"]["restarts"] == 0
