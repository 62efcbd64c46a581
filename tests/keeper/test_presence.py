"""An app that lives and has let its socket go."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.waiting import eventually

from .conftest import New, NewStage
from .instance import Instance, answer

ON_USR2 = "import signal; signal.signal(signal.SIGUSR2, lambda *_: (listening.close(), print('let go', flush=True)))"
LET_GO = "the app has let its socket go"
ONE_AT_A_TIME = "import threading; threading.Thread = type('T', (), {'__init__': lambda s, target, args, daemon: " + (
    "target(*args), 'start': lambda s: None})"
)
DEAF = "import signal, time; signal.signal(signal.SIGUSR2, lambda *_: (print('let go', flush=True), time.sleep(600)))"
QUICK = {"path": "/health", "host": "x", "timeout": 0.5}


def let_go(web: Instance) -> None:
    """Let the app close its socket; a signal just before accept(2) is handled only at the next one."""
    for _ in range(30):
        web.process().signal(signal.SIGUSR2)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            if "let go" in web.lines():
                return
            time.sleep(0.005)
    raise AssertionError(web.output())


@pytest.mark.parametrize("kind", ["fd", "unix", "tcp"])
def test_an_app_that_has_let_its_socket_go_is_stopped_and_started_again(new: New, kind: str) -> None:
    web = new(socket=kind, env={"PRELUDE": ON_USR2}).start()
    before = web.pid()

    let_go(web)
    web.await_event("state", state="starting")
    if kind == "tcp":  # nobody listens on a port while its app starts
        web.await_event("state", count=2, state="serving")
    waiting = web.send()

    assert answer(waiting) == str(web.pid())
    assert web.pid() != before
    assert LET_GO in web.output()
    assert web.ask("status")["exit"] == f"signal SIGTERM, because {LET_GO}"  # and not because somebody else told it to


def test_requests_that_came_meanwhile_are_answered_by_the_next_app(new: New) -> None:
    web = new(env={"PRELUDE": ON_USR2}).start()

    let_go(web)
    waiting = [web.send(f"/{number}") for number in range(20)]

    assert {answer(one) for one in waiting} == {str(web.pid())}


WRAPPED = (
    "import signal, subprocess\n"
    "if 'INNER' not in os.environ:\n"
    "    child = subprocess.Popen([sys.executable, '-I', '-S', sys.argv[0]],\n"
    "        env=os.environ | {'INNER': '1'}, pass_fds=[3])\n"
    "    print('inner', child.pid, flush=True)\n"
    "    signal.signal(15, lambda *_: (child.kill(), os._exit(0)))\n"
    "    child.wait(); os._exit(1)\n"
    "os.environ['LISTEN_PID'] = str(os.getpid())\n" + ON_USR2
)


def test_a_wrapper_that_holds_the_socket_for_ever_hides_nothing(new: New) -> None:
    web = new(health={"path": "/health", "host": "x", "timeout": 0.5}, env={"PRELUDE": WRAPPED}).start()
    web.await_output("inner")
    inner = next(int(line.split()[1]) for line in web.lines() if line.startswith("inner"))

    os.kill(inner, signal.SIGUSR2)
    web.await_output("let go")
    waiting = web.send()

    assert answer(waiting)
    assert "accepts no connections any more" in web.output()


def test_an_app_that_is_only_busy_is_left_alone(new: New) -> None:
    """One request at a time: while it is served nobody is accepted, and others wait."""
    web = new(health={"path": "/health", "host": "x", "timeout": 0.2}, env={"PRELUDE": ONE_AT_A_TIME}).start()
    before = web.pid()

    with web.send("/wait/go"):
        web.await_output("got /wait/go")
        waiting = web.send("/second")
        time.sleep(12)  # more than it takes to find out that nobody accepts
        assert web.state() == "serving"
        web.house.write("go")
        assert answer(waiting) == str(before)


def test_a_socket_that_somebody_outside_the_app_serves_is_let_be(serving: NewStage) -> None:
    made = serving()
    made.listener.listening = lambda: {1}  # type: ignore[method-assign]

    made.push(5)
    made.probe.answer(200)
    made.push(60)

    assert made.app.starts == 1
    assert made.keeper.life.shown == "serving"


def test_one_that_nobody_holds_and_nobody_answers_is_an_outage(serving: NewStage) -> None:
    made = serving()
    made.listener.listening = lambda: {1}  # type: ignore[method-assign]

    made.push(5)
    made.probe.answer(None)
    assert made.keeper.life.shown == "serving", "one look is none"
    made.push(1)
    made.probe.answer(None)

    assert made.keeper.life.shown == "starting"
    assert made.app.signals[0] == signal.SIGTERM
    assert any(LET_GO in line for line in made.logged)


@pytest.mark.parametrize("kind", ["fd", "unix", "tcp"])
def test_an_app_that_holds_its_socket_and_accepts_nothing_is_stopped_and_started_again(new: New, kind: str) -> None:
    web = new(socket=kind, health=QUICK, stop_timeout=0.5, env={"PRELUDE": DEAF}).start()
    before = web.pid()
    let_go(web)

    hanging = web.send()
    web.await_event("state", state="starting")
    eventually(lambda: web.state() == "serving" and web.pid() != before, 60, "another app")

    assert answer(hanging) == str(web.pid()), "what waited has been kept for the next app"
    assert "accepts no connections any more" in web.output()
    assert web.request() == str(web.pid())


@pytest.mark.parametrize("kind", ["fd", "unix", "tcp"])
def test_how_long_others_wait_beside_a_busy_app_is_known(new: New, kind: str) -> None:
    web = new(socket=kind, health=QUICK, env={"PRELUDE": ONE_AT_A_TIME}).start()
    before = web.pid()

    with web.send("/wait/go"):
        web.await_output("got /wait/go")
        waiting = [web.send(f"/{number}") for number in range(3)]
        eventually(lambda: (web.ask("status")["stalled"] or 0) >= 10, 60, "that nothing is accepted")
        assert web.ask("status")["waiting"] == 3
        assert web.state() == "serving"
        web.house.write("go")
        assert {answer(each) for each in waiting} == {str(before)}
    eventually(lambda: web.ask("status")["stalled"] is None, 60, "that it accepts again")


def test_an_app_that_goes_on_accepting_is_not_told(serving: NewStage) -> None:
    """There are always some who wait, but not always the same."""
    made = serving()
    accepted = iter(range(100))
    made.listener.backlog = lambda: 5  # type: ignore[method-assign]
    made.listener.served_inodes = lambda: {next(accepted)}  # type: ignore[method-assign]

    for _ in range(20):
        made.push(5)
        assert made.keeper.presence.acceptance.stalled is None

    made.listener.served_inodes = lambda: {7}  # type: ignore[method-assign]
    made.push(15)
    assert made.keeper.presence.acceptance.stalled == 10
