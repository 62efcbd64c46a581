"""The way out: warm, draining, stopping."""

from __future__ import annotations

import os
import signal

import pytest

from tests.waiting import eventually
from zdd.host import process
from zdd.host.process import Process

from .conftest import New, NewStage
from .instance import PATIENCE, House, Instance, answer, freeze


def retire(instance: Instance, warm: float = 0, drain: float = PATIENCE) -> None:
    assert instance.ask("retire", warm=warm, drain=drain, workers=[])["ok"]


@pytest.mark.parametrize("kind", ["fd", "unix", "tcp"])
def test_a_drained_instance_leaves_nothing_behind(new: New, kind: str) -> None:
    web = new(socket=kind).start()

    retire(web)

    assert web.await_end() == 0
    assert web.await_event("gone")["cut"] == 0
    assert not os.path.exists(web.folder)
    assert os.listdir(f"{web.house.path}/control") == []


def test_a_request_that_runs_is_waited_for(new: New) -> None:
    web = new().start()
    running = web.send("/wait/go")
    web.await_output("got /wait/go")

    retire(web)
    web.await_event("state", state="draining")
    assert web.ask("status")["connections"] == 1
    web.house.write("go")

    assert answer(running)
    web.await_end()
    gone = web.await_event("gone")
    assert (gone["drained"], gone["cut"]) == (1, 0)


@pytest.mark.parametrize("kind", ["fd", "unix"])
def test_a_queued_connection_that_nobody_accepted_is_waited_for(new: New, kind: str) -> None:
    web = new(socket=kind).start()
    eventually(lambda: web.request())
    app = web.process()
    freeze(app)
    queued = web.send("/queued")

    retire(web)
    web.await_event("state", state="draining")
    assert web.ask("status")["connections"] == 1
    assert web.state() == "draining"
    app.signal(signal.SIGCONT)

    assert answer(queued) == str(app.pid)
    assert web.await_event("gone")["cut"] == 0


def test_connections_are_counted_though_the_name_is_gone(new: New) -> None:
    web = new().start()
    with web.send("/wait/go"):
        web.await_output("got /wait/go")
        os.unlink(web.socket)

        assert web.ask("status")["connections"] == 1


def test_a_connection_that_does_not_end_is_cut_and_told(new: New) -> None:
    web = new().start()
    with web.send("/wait/never"):
        web.await_output("got /wait/never")

        retire(web, drain=0.2)
        web.await_end()

    gone = web.await_event("gone")
    assert (gone["drained"], gone["cut"]) == (0, 1)
    assert gone["seconds"] >= 0.2


def test_an_instance_stays_warm_and_can_be_taken_back(new: New) -> None:
    web = new().start()
    web.house.publish(web)

    retire(web, warm=PATIENCE)
    assert web.state() == "warm"
    assert web.request()

    assert web.ask("unretire") == {"ok": True, "state": "serving"}
    assert web.state() == "serving"


def test_a_draining_instance_cannot_be_taken_back(new: New) -> None:
    web = new().start()
    with web.send("/wait/never"):
        web.await_output("got /wait/never")
        retire(web)
        web.await_event("state", state="draining")

        refused = web.ask("unretire")

    assert (refused["ok"], refused["state"]) == (False, "draining")
    assert refused["error"] == "the instance is draining: it is too late for that"


def test_a_drain_waits_for_nginx_s_workers_from_before(new: New) -> None:
    web = new(socket="tcp").start()
    other = new(socket="none", argv=["sleep", "600"]).launch()
    worker = other.process()

    web.ask("retire", warm=0, drain=PATIENCE, workers=[[worker.pid, worker.start_time], [worker.pid, 1]])
    web.await_event("state", state="draining")
    assert web.state() == "draining"
    worker.signal(signal.SIGKILL)

    assert web.await_end() == 0


def test_who_comes_after_the_last_count_is_answered_by_who_serves_now(house: House) -> None:
    slow_to_end = "import signal; signal.signal(15, lambda *_: (print('told', flush=True), time.sleep(600)))"
    old = house.instance(env={"PRELUDE": slow_to_end}).start()
    successor = house.instance().start()
    house.publish(successor)

    freeze(old.process())
    old.ask("stop")
    straggler = old.send("/straggler")
    app = old.process()
    app.signal(signal.SIGKILL)

    assert answer(straggler) == str(successor.pid())
    assert "got /straggler" in successor.lines()
    assert old.await_end() == 0


def test_the_hold_of_an_instance_that_never_started_ends_at_who_serves_now(house: House) -> None:
    held = house.instance(held=True).launch()
    waiting = held.send("/waiting")
    successor = house.instance().start()
    house.publish(successor)

    held.ask("stop")

    assert answer(waiting) == str(successor.pid())


def test_connections_to_a_held_instance_are_answered_once_it_is_healthy(new: New) -> None:
    web = new(held=True).launch()
    waiting = [web.send("/early") for _ in range(5)]

    assert web.ask("start")["ok"]
    web.await_output("up")
    web.ask("healthy")

    assert {answer(connection) for connection in waiting} == {str(web.pid())}
    assert web.ask("start")["ok"], "it serves, which is all that was asked"
    assert web.output().count("up") == 1


def test_who_gave_up_before_a_held_instance_started_does_not_have_its_request_executed(new: New) -> None:
    web = new(held=True).launch()
    with web.send("/gave-up"):
        pass
    patient = web.send("/patient")

    web.ask("start")
    web.await_output("up")
    web.ask("healthy")

    assert answer(patient)
    assert "got /gave-up" not in web.lines()


# Stopping


def test_what_double_forked_away_is_killed_at_stop(new: New) -> None:
    prelude = (
        "import signal\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        signal.signal(15, signal.SIG_IGN); print('left', os.getpid(), flush=True); time.sleep(600)\n"
        "    os._exit(0)\n"
    )
    web = new(stop_timeout=0.3, env={"PRELUDE": prelude}).start()
    web.await_output("left")
    left = int(next(line for line in web.lines() if line.startswith("left")).split()[1])

    web.ask("stop")
    web.await_end()

    assert process.Process.find(left) is None


def test_an_app_under_a_shell_is_told_to_stop_though_the_shell_ends_first(new: New) -> None:
    prelude = "import signal; signal.signal(15, lambda *_: (print('bye', flush=True), os._exit(0)))"
    web = new(socket="unix", env={"PRELUDE": prelude})
    web.record["argv"] = ["sh", "-c", '"$@"; true', "sh", *web.record["argv"]]
    web.start()

    web.ask("stop")
    web.await_end()

    assert "bye" in web.lines()


def test_an_app_that_ignores_the_signal_is_killed_after_its_time(new: New) -> None:
    web = new(stop_timeout=0.2, env={"PRELUDE": "import signal; signal.signal(15, signal.SIG_IGN)"}).start()

    web.ask("stop")
    web.await_end()

    assert web.await_event("exit")["words"] == "signal SIGKILL"


def test_the_stop_signal_is_the_record_s(new: New) -> None:
    web = new(
        stop_signal=int(signal.SIGQUIT), env={"PRELUDE": "import resource; resource.setrlimit(4, (0, 0))"}
    ).start()

    web.ask("stop")
    web.await_end()

    assert web.await_event("exit")["words"] == "signal SIGQUIT"


def test_sigterm_to_the_keeper_stops_the_instance_and_sighup_does_nothing(new: New) -> None:
    web = new().start()
    app = web.process()
    keeper = web.keeper()

    keeper.signal(signal.SIGHUP)
    keeper.signal(signal.SIGINT)
    assert web.request()
    keeper.signal(signal.SIGTERM)

    assert web.await_end() == 0
    assert not app.alive()
    assert web.await_event("gone")


def test_links_that_the_app_left_in_its_folder_are_not_followed(new: New) -> None:
    web = new(socket="unix").start()
    precious = f"{web.house.path}/precious"
    os.makedirs(f"{precious}/deep")
    os.symlink(precious, f"{web.app_folder}/link")
    os.makedirs(f"{web.app_folder}/own/deep")

    web.ask("stop")
    web.await_end()

    assert os.path.isdir(f"{precious}/deep")
    assert not os.path.exists(web.folder)


def test_a_recycled_worker_number_is_not_waited_for() -> None:
    assert not Process(os.getpid(), 1).alive()


def test_connections_that_never_end_do_not_hold_up_those_who_wait(serving: NewStage) -> None:
    """In a stop-first deploy requests wait for the end of the drain."""
    old = serving(stop_first=True)
    old.listener.accepted = lambda: {1, 2}  # type: ignore[method-assign]  # two WebSockets
    old.push(20)
    old.listener.count = 3

    old.keeper.park(15.0, fallback=True)
    old.push(4)
    assert old.keeper.life.shown == "draining", "one of them is a request"
    old.listener.count = 2
    old.push(1)

    assert old.keeper.life.shown != "draining"
    assert old.keeper.drain.cut == 2


def test_connections_that_never_end_have_two_seconds(serving: NewStage) -> None:
    old = serving(stop_first=True)
    old.listener.accepted = lambda: {1}  # type: ignore[method-assign]
    old.push(20)
    old.listener.count = 1

    old.keeper.park(15.0, fallback=True)
    old.push(1.9)
    assert old.keeper.life.shown == "draining"
    old.push(1)

    assert old.keeper.life.shown != "draining"


def test_a_connection_that_was_opened_a_moment_ago_has_its_whole_time(serving: NewStage) -> None:
    old = serving(stop_first=True)
    old.listener.accepted = lambda: {int(old.time)}  # type: ignore[method-assign]  # always another one
    old.push(20)
    old.listener.count = 1

    old.keeper.park(15.0, fallback=True)
    old.push(14)

    assert old.keeper.life.shown == "draining"


def test_where_nobody_waits_connections_that_never_end_have_their_whole_time(serving: NewStage) -> None:
    old = serving(stop_first=True)
    old.listener.accepted = lambda: {1}  # type: ignore[method-assign]
    old.push(20)
    old.listener.count = 1

    old.keeper.retire(0, 30, [])
    old.push(29)

    assert old.keeper.life.shown == "draining"
