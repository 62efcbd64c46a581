"""An app that crashes while it serves."""

from __future__ import annotations

import os
import signal

import pytest

from tests.waiting import eventually
from zdd.host import process
from zdd.keeper import client

from .conftest import New
from .instance import HELD_UP, Instance, answer, end, freeze

# A worker that stops accepting when it is told to stop, and ends once its request is answered.
GRACEFUL = (
    "import signal\n"
    "def stop(*_):\n"
    "    print('told to stop', flush=True)\n"
    "    while threading.active_count() > 1: time.sleep(0.005)\n"
    "    os._exit(0)\n"
    "listening = listen()\n"
    "if os.fork() == 0:\n"
    "    signal.signal(15, stop)\n"
    "    print('worker', os.getpid(), flush=True); accept()\n"
    "print('up', os.getpid(), flush=True)\n"
    "while True: signal.pause()\n"
)
BROKEN = "if os.path.exists(os.environ['HERE'] + '/broken'): sys.exit(1)"
WORKERS = (
    "import signal\n"
    "signal.signal(15, signal.SIG_IGN)\n"
    "listening = listen()\n"
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    print('worker', os.getpid(), flush=True); accept()\n"
    "print('up', os.getpid(), flush=True)\n"
    "while True: signal.pause()\n"
)


def test_connections_wait_during_a_crash_and_are_answered(new: New) -> None:
    web = new(env={"PRELUDE": HELD_UP}).start()
    web.house.write("down")
    web.kill()
    web.await_event("exit")

    waiting = [web.send(f"/{number}") for number in range(20)]
    os.unlink(f"{web.house.path}/down")

    assert {answer(connection) for connection in waiting} == {str(web.pid())}
    assert web.ask("status")["restarts"] == 1


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_connections_wait_also_where_the_socket_ends_with_its_app(new: New, kind: str) -> None:
    web = new(socket=kind, env={"PRELUDE": BROKEN}).start()
    assert web.request() == str(web.pid())
    web.house.write("broken")
    web.kill()
    keeper = web.freeze_between_starts()

    waiting = [web.send(f"/{number}") for number in range(20)]
    os.unlink(f"{web.house.path}/broken")
    keeper.signal(signal.SIGCONT)

    assert {answer(connection) for connection in waiting} == {str(web.pid())}


def test_a_request_that_waited_for_an_app_of_its_own_socket_is_executed_once(new: New) -> None:
    web = new(socket="unix", env={"PRELUDE": HELD_UP}).start()
    web.house.write("down")
    web.kill()
    web.await_event("state", state="starting")

    with web.send("/gave-up"):
        pass
    waiting = web.send("/patient")
    os.unlink(f"{web.house.path}/down")

    assert answer(waiting)
    assert web.lines().count("got /patient") == 1
    assert "got /gave-up" not in web.lines()


def test_who_gave_up_during_a_crash_does_not_have_its_request_executed(new: New) -> None:
    web = new().start()
    app, keeper = web.process(), web.keeper()
    freeze(keeper)  # so that it is still down while we wait and give up
    end(app)

    with web.send("/gave-up"):
        pass
    patient = web.send("/patient")
    keeper.signal(signal.SIGCONT)

    assert answer(patient)
    assert "got /patient" in web.lines()
    assert "got /gave-up" not in web.lines()


def test_workers_left_by_a_killed_master_are_gone_before_the_restart(new: New) -> None:
    web = new(env={"PRELUDE": WORKERS}, stop_timeout=0.3).start()
    web.await_output("worker")
    worker = int(next(line for line in web.lines() if line.startswith("worker")).split()[1])
    assert web.request() == str(worker)

    web.kill()
    web.await_output("up", 2)

    assert process.Process.find(worker) is None
    assert web.request() != str(worker)


@pytest.mark.parametrize("kind", ["fd", "unix"])
def test_workers_of_a_killed_master_finish_their_requests_and_new_ones_wait(new: New, kind: str) -> None:
    web = new(socket=kind, env={"PRELUDE": GRACEFUL}).start()
    web.await_output("worker")
    running = web.send("/wait/go")
    web.await_output("got /wait/go")

    web.kill()
    web.await_output("told to stop")
    waiting = [web.send(f"/{number}") for number in range(5)]
    assert web.ask("status")["restarts"] == 0
    web.house.write("go")

    worker = next(line for line in web.lines() if line.startswith("worker")).split()[1]
    assert answer(running) == worker
    web.await_output("up", 2)
    assert all(answer(each) not in ("", worker) for each in waiting)
    assert "is killed" not in web.output()


def test_the_exit_and_the_way_back_are_told(new: New) -> None:
    web = new().start()

    web.request("/exit/7")
    web.await_event("state", count=2, state="serving")

    kinds = [event.get("words") or event.get("state") for event in web.events()]
    assert kinds == ["serving", "exit status 7", "starting", "serving"]


@pytest.mark.parametrize("kind", ["fd", "unix", "tcp"])
def test_an_outage_that_outlasts_hold_max_is_down_and_mends_itself(new: New, kind: str) -> None:
    web = new(socket=kind, hold_max=0.5, env={"PRELUDE": BROKEN}).start()
    web.house.write("broken")

    web.kill()
    web.await_event("state", state="down")
    assert web.state() == "down"
    assert "DOWN: the app has not answered for 0.5 s" in web.output()
    assert refused(web)
    os.unlink(f"{web.house.path}/broken")
    web.await_event("state", count=2, state="serving")

    assert web.request() == str(web.pid())
    assert "the app answers again" in web.output()


def refused(web: Instance) -> bool:
    """Whether a client is sent away at once: nobody listens, or its connection is closed without an answer."""
    try:
        return answer(web.send()) == ""
    except OSError:
        return True


def test_connections_are_held_for_hold_max_and_then_refused(new: New) -> None:
    web = new(hold_max=0.5, env={"PRELUDE": BROKEN}).start()
    app, keeper = web.process(), web.keeper()
    web.house.write("broken")
    freeze(keeper)  # so that somebody comes before it begins to hold
    end(app)

    waiting = web.send("/waiting")
    keeper.signal(signal.SIGCONT)

    assert answer(waiting) == ""  # cut, after a while
    eventually(lambda: not os.path.exists(web.socket))
    os.unlink(f"{web.house.path}/broken")
    eventually(lambda: os.path.exists(web.socket))
    assert web.request()


def test_an_app_of_its_own_socket_is_restarted_on_it(new: New) -> None:
    web = new(socket="unix", alone=False).start()
    before = web.pid()

    web.kill()
    web.await_event("state", count=2, state="serving")

    assert web.request() == str(web.pid())
    assert web.pid() != before


def test_a_worker_is_restarted(new: New) -> None:
    worker = new(socket="none", argv=["sh", "-c", "echo up; exec sleep 600"]).start()

    worker.kill()
    worker.await_output("up", 2)

    assert worker.state() == "serving"


def test_the_record_of_who_runs_follows_the_app(new: New) -> None:
    web = new().start()
    first = web.process()
    assert client.pids(f"{web.house.path}/control/{web.name}.pids").app == first

    web.kill()
    web.await_event("state", count=2, state="serving")

    found = client.pids(f"{web.house.path}/control/{web.name}.pids")
    assert found.app == web.process()
    assert found.keeper == web.keeper()
    assert found.app != first
