"""What the keeper decides, by a clock that the test pushes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from zdd import kills
from zdd.host import files
from zdd.host.process import Process
from zdd.keeper.operations import Operations

from .conftest import NewStage as New
from .fakes import Terminal


def publish(stage: Terminal) -> None:
    files.write(f"{stage.record.current}/manifest.json", json.dumps({"instances": {"web-1": {}}}))


def add_sibling(house: Path, name: str = "web-2") -> str:
    """Have a slot lead to another instance that serves, whose socket this is."""
    for folder in ("current/web", name):
        os.makedirs(house / folder, exist_ok=True)
    (house / f"current/web/{name}").symlink_to(f"../../../instances/{name}/socket")
    (house / name / "keep").touch()
    (house / name / "socket").hardlink_to(house / name / "keep")
    return str(house / name / "socket")


def hold(sibling: str) -> None:
    """Have a sibling hold its connections, as in an outage."""
    os.unlink(sibling)
    Path(sibling).touch()


def serve(sibling: str) -> None:
    os.unlink(sibling)
    os.link(Path(sibling).with_name("keep"), sibling)


# Starting


def test_an_app_that_ends_before_it_was_healthy_has_failed(stage: New) -> None:
    starting = stage()

    starting.die(3)
    starting.push(100)

    assert starting.keeper.life.state == "failed"
    assert starting.events("exit") == [{"event": "exit", "words": "status 3", "status": 3}]
    assert starting.app.starts == 1
    assert not starting.keeper.shutdown.over  # it waits for the command line to ask


def test_what_a_failed_app_leaves_is_told_to_stop_and_killed_later(stage: New) -> None:
    starting = stage()
    starting.app.descendants = True

    starting.die()
    assert starting.app.signals == [("all", 15)]
    starting.push(10)

    assert starting.app.signals[-1] == ("all", 9)


def test_a_failed_instance_cannot_become_healthy(stage: New) -> None:
    starting = stage()
    starting.die()

    assert not starting.keeper.healthy()


def test_a_held_instance_starts_its_app_once_it_is_told(stage: New) -> None:
    held = stage(held=True)
    assert held.app.starts == 0

    assert held.keeper.start()

    assert held.app.starts == 1
    assert not held.app.low_priority, "somebody may wait"
    assert held.keeper.start(), "told twice it does it once"
    assert held.app.starts == 1


def test_a_start_gives_way_to_others_for_a_while(stage: New) -> None:
    starting = stage(polite_for=15.0)

    starting.push(14)
    assert starting.app.low_priority
    starting.push(2)

    assert not starting.app.low_priority


def test_a_start_that_gets_no_core_gives_way_to_nobody_any_more(stage: New) -> None:
    starving = stage(polite_for=15.0)

    starving.app.ran, starving.app.waited = 0.1, 1.1
    starving.push(1)

    assert not starving.app.low_priority


def test_a_start_that_sleeps_is_looked_at_seldom_and_is_noticed_when_it_wakes(stage: New) -> None:
    waiting = stage(polite_for=15.0)

    waiting.app.ran = 0.4
    waiting.push(10)
    assert waiting.app.looks <= 7, "a thousand that wait for their turn were looked at two thousand times a second"
    assert waiting.app.low_priority
    waiting.app.waited = 1.1
    waiting.push(2)

    assert not waiting.app.low_priority


def test_a_start_that_only_goes_on_slowly_gives_way_all_the_same(stage: New) -> None:
    slow = stage(polite_for=15.0)

    for second in range(1, 14):
        slow.app.ran, slow.app.waited = second * 0.4, second * 0.6
        slow.push(1)

        assert slow.app.low_priority


def test_a_restart_gives_way_to_nobody(serving: New) -> None:
    crashed = serving()

    crashed.die()
    crashed.push(1)

    assert crashed.app.starts == 2
    assert not crashed.app.low_priority


def test_a_fork_that_fails_is_an_app_that_ended(stage: New) -> None:
    held = stage(held=True)
    held.app.fails = BlockingIOError(11, "Resource temporarily unavailable")

    held.keeper.start()

    assert held.keeper.life.state == "failed"
    words = "cannot start: Resource temporarily unavailable"
    assert held.events("exit") == [{"event": "exit", "words": words, "status": 127, "stage": "start", "errno": 11}]


def test_the_log_is_rotated_also_after_the_instance_was_parked(serving: New) -> None:
    again = serving()
    again.keeper.park(0.0, fallback=True)
    again.push(1)
    assert again.keeper.life.shown == "resting"
    again.app.log.pause = 1.0

    again.keeper.start()
    tended = again.app.log.tended
    again.push(60)

    assert again.app.log.tended == tended + 40, "each second, or half a second later"


# Crashes


def test_a_crash_is_restarted_after_a_delay_that_doubles_up_to_ten_seconds(serving: New) -> None:
    crashing = serving()
    delays = []

    for _ in range(9):
        crashing.die()
        died, starts = crashing.time, crashing.app.starts
        while crashing.app.starts == starts:
            crashing.push(0.05)
        delays.append(round(crashing.time - died, 1))

    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert crashing.keeper.outage.restarts == 9


def test_a_long_life_makes_the_delay_short_again(serving: New) -> None:
    crashing = serving()
    for _ in range(5):
        crashing.die()
        crashing.push(10)

    crashing.probe.answer(200)
    crashing.push(60)
    crashing.die()
    crashing.push(0.1)

    assert crashing.app.pid


@pytest.mark.parametrize(
    ("record", "seconds", "limit"),
    [
        ({}, 10.0, "stop_timeout (10 s)"),
        ({"stop_timeout": 60.0}, 10.0, "half of hold_max (10 s)"),
        ({"stop_timeout": 60.0, "alone": False}, 60.0, "stop_timeout (60 s)"),  # its sibling serves, and nobody waits
    ],
)
def test_what_a_crash_leaves_has_its_time_and_is_killed_before_the_restart(
    serving: New, tmp_path: Path, record: dict[str, Any], seconds: float, limit: str
) -> None:
    crashing = serving(kills=str(tmp_path / "kills"), **record)
    add_sibling(tmp_path, "web-1")
    add_sibling(tmp_path)
    crashing.app.descendants = True

    crashing.die()
    crashing.push(seconds - 0.1)
    assert crashing.app.signals == [("all", 15)]
    crashing.push(0.2)
    assert crashing.app.signals == [("all", 15), ("all", 9)]
    crashing.push(0.1)

    assert crashing.app.starts == 2  # not beside what was left
    assert f"what is left of the app is killed: it has not stopped within {limit}" in crashing.logged
    (kill,) = kills.read(str(tmp_path / "kills"))
    assert (kill.instance, kill.is_whole, kill.limit) == ("web-1", False, limit)


def test_what_a_crash_leaves_and_ends_by_itself_is_not_killed(serving: New) -> None:
    crashing = serving()
    crashing.app.descendants = True

    crashing.die()
    crashing.push(0.8)
    assert crashing.app.starts == 1
    crashing.app.descendants = crashing.app.has_children = False
    crashing.push(0.1)

    assert crashing.app.signals == [("all", 15)]
    assert crashing.app.starts == 2


def test_what_a_crash_leaves_on_a_port_is_killed_at_once_since_it_would_take_connections(serving: New) -> None:
    crashing = serving()
    crashing.app.descendants = True
    crashing.listener.may_wait = False

    crashing.die()
    crashing.push(0.2)

    assert crashing.app.signals == [("all", 15), ("all", 9)]
    assert crashing.app.starts == 2


def test_an_instance_that_is_alone_holds_connections_while_it_is_down(serving: New) -> None:
    alone = serving(alone=True)
    alone.listener.done.clear()

    alone.die()

    assert alone.listener.done == ["repair"]


def test_a_hold_ends_after_hold_max_and_those_who_waited_are_let_go(serving: New) -> None:
    alone = serving(alone=True, hold_max=20)
    alone.relay.queue = ["a client"]

    alone.die()
    alone.push(19.9)
    assert "away" not in alone.listener.done
    assert alone.relay.sent == []
    alone.push(0.2)

    assert alone.listener.done[-1] == "away"
    assert alone.relay.sent == [("a client", None)]


def test_a_hold_is_measured_from_the_first_crash(serving: New) -> None:
    alone = serving(alone=True, hold_max=20)

    while "away" not in alone.listener.done and alone.time < 1100:
        if alone.app.pid:
            alone.die()
        alone.push(0.1)

    assert 1020 <= alone.time < 1021


def test_after_a_hold_the_name_is_back_once_the_app_answers(serving: New) -> None:
    alone = serving(alone=True, hold_max=0.05)
    alone.die()
    alone.push(1)
    assert alone.listener.done[-1] == "away"

    alone.probe.answer(200)

    assert alone.listener.done[-1] == "back"


def test_an_instance_with_siblings_leads_to_one_at_once_and_is_back_when_it_answers(
    serving: New, tmp_path: Path
) -> None:
    one = serving(alone=False)
    add_sibling(tmp_path, "web-1")
    add_sibling(tmp_path)
    one.listener.done.clear()

    one.die()
    assert one.listener.done == ["repair", "hold", "lead to web-2"]
    one.push(0.1)
    one.probe.answer(503)
    one.push(5)
    assert one.listener.done[-1] == "lead to web-2"
    one.probe.answer(200)

    assert one.listener.done[-1] == "back"


def test_who_waited_at_a_crashed_instance_is_served_by_its_sibling(serving: New, tmp_path: Path) -> None:
    one = serving(alone=False)
    sibling = add_sibling(tmp_path)
    add_sibling(tmp_path, "web-1")
    one.relay.queue = ["a client"]

    one.die()
    one.relay.queue = ["one that came while no app ran"]
    one.push(0.9)

    assert one.relay.sent == [("a client", sibling), ("one that came while no app ran", sibling)]


def test_while_no_sibling_serves_connections_wait_for_the_first_that_does(serving: New, tmp_path: Path) -> None:
    one = serving(alone=False)
    add_sibling(tmp_path, "web-1")
    siblings = [add_sibling(tmp_path, name) for name in ("web-2", "web-3")]
    for sibling in siblings:
        hold(sibling)
    one.listener.done.clear()

    one.die()
    one.relay.queue = ["a client"]
    one.push(10)
    assert one.listener.done == ["repair", "hold"]
    assert one.relay.sent == []
    serve(siblings[1])
    one.push(0.1)

    assert one.listener.done[-1] == "lead to web-3"
    assert one.relay.sent == [("a client", siblings[1])]


def test_when_the_sibling_dies_too_connections_wait_for_hold_max_from_then_on(serving: New, tmp_path: Path) -> None:
    one = serving(alone=False, hold_max=20.0)
    add_sibling(tmp_path, "web-1")
    sibling = add_sibling(tmp_path)
    one.die()
    one.push(3600)
    hold(sibling)
    one.push(1)
    assert one.listener.done[-1] == "hold"

    one.relay.queue = ["a client"]
    one.push(18)
    assert one.relay.sent == []
    one.push(2)

    assert one.relay.sent == [("a client", None)]
    assert one.listener.done[-1] == "away"
    assert one.keeper.life.state == "down"
    assert any("DOWN: no instance has answered for 20 s" in line for line in one.logged)


def test_what_is_down_leads_to_a_sibling_that_answers_again(serving: New, tmp_path: Path) -> None:
    one = serving(alone=False, hold_max=1.0)
    add_sibling(tmp_path, "web-1")
    sibling = add_sibling(tmp_path)
    hold(sibling)
    one.die()
    one.push(5)
    assert one.keeper.life.state == "down"

    serve(sibling)
    one.push(0.1)

    assert one.listener.done[-1] == "lead to web-2"
    assert one.states()[-1] == "starting"
    one.probe.answer(200)
    assert one.listener.done[-1] == "back"
    assert one.states()[-1] == "serving"


def test_what_is_down_takes_an_app_that_answers_with_errors(serving: New, tmp_path: Path) -> None:
    """So does a sole instance. Before it is down it waits for a better answer."""
    one = serving(alone=False, hold_max=5.0)
    one.die()
    one.push(0.2)
    one.probe.answer(503)
    assert one.keeper.life.state == "restarting"
    one.push(5)
    assert one.keeper.life.state == "down"

    one.probe.answer(503)

    assert one.keeper.life.state == "serving"


def test_an_instance_that_is_not_in_force_leads_nobody_to_the_version_that_is(serving: New, tmp_path: Path) -> None:
    """Before the switch nobody comes, and whoever comes in the moment of the switch wants the new version."""
    one = serving(alone=False)
    add_sibling(tmp_path)
    one.listener.done.clear()

    one.die()
    one.push(100)

    assert not [word for word in one.listener.done if word.startswith("lead")]
    assert one.keeper.life.state == "restarting"


def test_an_outage_does_not_end_a_pause(serving: New, tmp_path: Path) -> None:
    one = serving(alone=False)
    one.keeper.hold.pause(60)
    one.die()
    one.push(0.2)

    one.probe.answer(200)

    assert one.keeper.hold.on
    assert one.keeper.hold.resume()
    assert not one.keeper.hold.on


def test_an_app_that_ends_by_itself_is_started_again_at_once(serving: New) -> None:
    """Some end after so many requests, to be started afresh."""
    one = serving()

    for starts in (2, 3, 4):
        one.push(60)
        one.die(0)
        one.push(0)
        assert one.app.starts == starts
        one.probe.answer(200)

    assert [line for line in one.logged if "started again" in line] == ["it is started again at once"] * 3


def test_an_app_that_ends_by_itself_all_the_time_is_started_once_a_second(serving: New) -> None:
    one = serving()
    starts = one.app.starts

    for _ in range(10):
        one.push(0.1)
        one.die(0)
        one.push(0.9)
        one.probe.answer(200)

    assert one.app.starts == starts + 10
    assert "it is started again in 0.9 s" in one.logged


def test_an_app_that_runs_but_never_answers_again_is_killed_after_start_timeout(serving: New) -> None:
    one = serving(start_timeout=30.0)

    one.die()
    one.push(29)
    assert one.app.starts == 2
    one.push(2)

    assert one.app.starts == 3
    assert "the app has not answered for start_timeout, 30 s: it is killed" in one.logged
    one.probe.answer(200)
    one.push(60)
    assert one.app.starts == 3


def test_an_app_that_ends_before_it_has_answered_has_crashed_whatever_its_status(serving: New) -> None:
    one = serving()
    one.push(60)

    one.die()
    one.push(0.11)
    one.die(0)
    one.push(0.11)
    assert one.app.starts == 2
    one.push(0.11)

    assert one.app.starts == 3


def test_an_instance_that_is_down_is_shown_as_starting(serving: New) -> None:
    one = serving()

    one.die()
    one.push(0.1)
    one.probe.answer(200)

    assert one.states() == ["serving", "starting", "serving"]


@pytest.mark.parametrize(
    ("status", "alone", "shown"),
    [
        (404, False, "serving"),
        (503, False, "starting"),
        (0, False, "starting"),
        (None, False, "starting"),
        (404, True, "serving"),
        (503, True, "serving"),
        (0, True, "serving"),
        (None, True, "starting"),
    ],
)
def test_errors_are_an_answer_of_an_instance_that_is_alone(
    serving: New, status: int | None, alone: bool, shown: str
) -> None:
    one = serving(alone=alone)
    one.die()
    one.push(0.1)

    one.probe.answer(status)

    assert one.keeper.life.shown == shown


def test_a_health_request_that_hangs_is_given_up_and_asked_again(serving: New) -> None:
    one = serving()
    one.die()
    one.push(0.1)
    asked = one.probe.on_answer
    one.probe.cancel()

    one.push(5)

    assert one.probe.on_answer == asked


def test_a_worker_needs_no_answer(serving: New) -> None:
    worker = serving(socket="none")
    worker.listener.address = None

    worker.die()
    worker.push(0.1)

    assert worker.keeper.life.shown == "serving"


def test_an_app_that_shut_its_socket_down_and_stays_is_killed_and_restarted(serving: New) -> None:
    deaf = serving()

    deaf.keeper.on_listener_shutdown(by_app=True)
    deaf.push(9.9)
    assert deaf.app.starts == 1
    deaf.push(0.3)
    assert deaf.app.starts == 2
    deaf.push(60)

    assert deaf.app.starts == 2  # and the new one is left alone


def test_an_app_that_shut_its_socket_down_and_ended_in_time_is_not_killed_later_in_its_next_life(serving: New) -> None:
    deaf = serving()

    deaf.keeper.on_listener_shutdown(by_app=True)
    deaf.push(5)
    deaf.die(0)
    deaf.push(60)

    assert deaf.app.starts == 2


def test_what_cannot_be_killed_does_not_keep_an_instance_down(serving: New) -> None:
    stuck = serving()
    stuck.app.descendants = stuck.app.unkillable = True

    stuck.die()
    stuck.push(15)
    assert stuck.app.starts == 1
    stuck.push(1)

    assert stuck.app.starts == 2


def test_what_cannot_be_killed_does_not_keep_an_instance_from_ending(serving: New) -> None:
    stuck = serving()
    stuck.app.descendants = stuck.app.unkillable = True

    stuck.keeper.stop()
    stuck.push(14)
    assert not stuck.keeper.shutdown.over
    stuck.push(2)

    assert stuck.keeper.shutdown.over


# Leases


def test_an_instance_that_is_not_published_ends_with_its_last_lease(serving: New) -> None:
    orphan = serving()

    orphan.keeper.deserted()

    assert orphan.app.signals == [15]
    orphan.look()
    assert orphan.keeper.shutdown.over


def test_a_published_instance_stays(serving: New) -> None:
    published = serving()
    publish(published)

    published.keeper.deserted()

    assert published.keeper.life.state == "serving"


def test_in_doubt_an_instance_stays(serving: New) -> None:
    published = serving()
    files.write(f"{published.record.current}/manifest.json", "{ damaged")

    published.keeper.deserted()

    assert published.keeper.life.state == "serving"


def test_an_instance_stays_where_the_table_in_force_is_gone(serving: New) -> None:
    published = serving()
    os.rmdir(published.record.current)
    os.symlink("tables/17", published.record.current)

    published.keeper.deserted()

    assert published.keeper.life.state == "serving"


@pytest.mark.parametrize("leased", [True, False])
def test_somebody_must_be_attached_within_ten_seconds(stage: New, leased: bool) -> None:
    starting = stage()
    starting.control.leased = leased

    starting.push(9.9)
    assert starting.keeper.life.state == "starting"
    starting.push(0.2)

    assert starting.keeper.shutdown.over is not leased


def test_a_failed_instance_ends_with_its_last_lease(stage: New) -> None:
    failed = stage()
    failed.die()

    failed.keeper.deserted()
    failed.push(0)

    assert failed.keeper.shutdown.over


def test_a_retiring_instance_does_not_care_for_leases(serving: New) -> None:
    retiring = serving()
    retiring.keeper.retire(60, 30, [])

    retiring.keeper.deserted()

    assert retiring.keeper.life.state == "warm"


@pytest.mark.parametrize("started", [True, False])
def test_an_instance_published_before_it_was_healthy_serves_when_it_is_deserted(stage: New, started: bool) -> None:
    held = stage(held=True)
    if started:
        held.keeper.start()
    publish(held)

    held.control.leased = False
    held.keeper.deserted()
    held.push(0.01)
    assert held.app.starts == 1
    held.probe.answer(200)

    assert held.keeper.life.shown == "serving"


def test_an_instance_that_stays_after_all_needs_to_be_published_soon(serving: New) -> None:
    warm = serving()
    warm.push(20)
    warm.control.leased = False
    warm.keeper.retire(60, 30, [])

    assert warm.keeper.unretire()
    warm.push(10)

    assert warm.keeper.shutdown.over


# Going


def test_retiring_is_warm_then_draining_then_stopping(serving: New) -> None:
    retiring = serving()
    retiring.listener.count = 1

    retiring.keeper.retire(60, 30, [])
    retiring.push(59.9)
    assert retiring.keeper.life.state == "warm"
    retiring.push(5)
    assert retiring.keeper.life.state == "draining"
    retiring.listener.count = 0
    retiring.push(1)

    assert retiring.states() == ["serving", "warm", "draining", "stopping"]
    assert retiring.keeper.shutdown.over


def test_a_drain_ends_with_its_time_and_tells_whom_it_cut(serving: New) -> None:
    retiring = serving()
    retiring.keeper.retire(0, 30, [])
    retiring.listener.count = 5
    retiring.push(20)
    retiring.listener.count = 2

    retiring.push(9.9)
    assert retiring.keeper.life.state == "draining"
    retiring.push(0.2)

    assert retiring.events("gone") == [{"event": "gone", "drained": 3, "cut": 2, "handed": 0, "seconds": 30.0}]


def test_who_waits_is_handed_on_once_nobody_is_accepted_for_half_a_second(serving: New, tmp_path: Path) -> None:
    retiring = serving()
    sibling = add_sibling(tmp_path)
    retiring.keeper.retire(0, 30, [])
    retiring.listener.count, retiring.listener.waiting = 5, 3

    retiring.push(0.4)
    retiring.listener.count = retiring.listener.waiting = 2
    retiring.push(0.4)
    assert retiring.relay.sent == []
    retiring.relay.queue = ["one", "other"]
    retiring.listener.count = retiring.listener.waiting = 2
    retiring.push(0.2)

    assert retiring.relay.sent == [("one", sibling), ("other", sibling)]


def test_who_waits_where_nobody_else_serves_keeps_waiting(serving: New) -> None:
    retiring = serving()
    retiring.keeper.retire(0, 30, [])
    retiring.listener.count = retiring.listener.waiting = 2
    retiring.relay.queue = ["one", "other"]

    retiring.push(29)

    assert retiring.relay.sent == []
    assert retiring.keeper.life.state == "draining"


def test_new_times_hold_for_a_warm_a_draining_and_a_stopping_instance(serving: New) -> None:
    renewed = serving()
    renewed.app.dies_of = {9}
    renewed.listener.count = 1
    renewed.keeper.retire(600, 30, [])
    renewed.push(50)

    times(renewed, warm=60, drain=30, stop=10)
    renewed.push(9)
    assert renewed.keeper.life.state == "warm"
    renewed.push(2)
    assert renewed.keeper.life.state == "draining"
    times(renewed, warm=60, drain=300, stop=10)
    renewed.push(290)
    assert renewed.keeper.life.state == "draining"
    times(renewed, warm=60, drain=20, stop=10)
    renewed.push(0.1)
    assert renewed.keeper.life.state == "stopping"
    times(renewed, warm=60, drain=20, stop=60)
    renewed.push(50)
    assert not renewed.keeper.shutdown.over
    times(renewed, warm=60, drain=20, stop=5)
    renewed.push(0.1)

    assert renewed.keeper.shutdown.over
    assert "the app is killed: it has not stopped within stop_timeout (5 s)" in renewed.logged


def times(renewed: Terminal, **seconds: float) -> None:
    assert Operations(renewed.keeper).handle({"version": 1, "op": "times", **seconds})["ok"]


def test_one_count_of_zero_is_not_enough(serving: New) -> None:
    retiring = serving()

    retiring.keeper.retire(0, 30, [])
    retiring.listener.count = 1  # a connection that was on its way
    retiring.push(5)
    assert retiring.keeper.life.state == "draining"
    retiring.listener.count = 0
    retiring.push(1)

    assert retiring.keeper.shutdown.over


@pytest.mark.parametrize(("cost", "most"), [(0.0, 101), (0.002, 25), (0.01, 6), (1.0, 2)])
def test_counting_takes_a_twentieth_of_the_time_at_most(serving: New, cost: float, most: int) -> None:
    retiring = serving()
    retiring.listener.count = 1

    def take_time() -> None:
        retiring.time += cost

    retiring.listener.cost = take_time
    retiring.keeper.retire(0, 30, [])
    retiring.listener.counted = 0
    retiring.push(1)

    assert most / 2 <= retiring.listener.counted <= most


def test_a_drain_waits_for_the_old_workers_of_nginx_too(serving: New) -> None:
    retiring = serving()
    ourselves = Process.find(os.getpid())
    assert ourselves

    retiring.keeper.retire(0, 30, [ourselves, Process(ourselves.pid, 1)])
    retiring.push(29.9)
    assert retiring.keeper.life.state == "draining"
    retiring.push(0.2)

    assert retiring.keeper.shutdown.over


def test_a_crash_while_draining_is_not_restarted(serving: New) -> None:
    retiring = serving()
    retiring.listener.count = 1
    retiring.keeper.retire(0, 30, [])

    retiring.die()

    assert retiring.keeper.shutdown.over
    assert retiring.app.starts == 1


def test_an_app_that_was_restarted_and_has_not_answered_is_not_drained(serving: New) -> None:
    unproved = serving()
    unproved.die()
    unproved.push(0.1)
    unproved.listener.count = 1

    unproved.keeper.retire(0, 30, [])

    assert unproved.keeper.life.state == "stopping"  # who waits in its queue is served elsewhere


def test_a_crash_while_warm_is_restarted(serving: New) -> None:
    warm = serving()
    warm.keeper.retire(60, 30, [])

    warm.die()
    assert not warm.keeper.unretire()
    warm.push(0.1)
    warm.probe.answer(200)

    assert warm.keeper.unretire()


def test_unretire_is_possible_while_warm_and_cancels_what_was_to_come(serving: New) -> None:
    warm = serving()
    publish(warm)
    warm.keeper.retire(60, 30, [])

    assert warm.keeper.unretire()
    warm.push(1000)

    assert warm.keeper.life.state == "serving"
    assert warm.keeper.unretire()


def test_unretire_is_refused_once_it_drains(serving: New) -> None:
    draining = serving()
    draining.listener.count = 1
    draining.keeper.retire(1, 30, [])
    draining.push(2)

    assert not draining.keeper.unretire()
    assert draining.keeper.life.state == "draining"


def test_retiring_again_while_warm_takes_the_new_times(serving: New) -> None:
    warm = serving()
    warm.keeper.retire(600, 30, [])

    warm.keeper.retire(0, 30, [])
    warm.push(1)

    assert warm.keeper.shutdown.over


def test_retiring_again_while_draining_changes_nothing(serving: New) -> None:
    draining = serving()
    draining.listener.count = 1
    draining.keeper.retire(0, 30, [])

    draining.keeper.retire(600, 600, [])
    draining.push(30)

    assert draining.keeper.shutdown.over


def test_stopping_gives_the_app_its_time_and_then_kills_what_is_left(serving: New) -> None:
    stubborn = serving(stop_signal=3)
    stubborn.app.dies_of = {9}

    stubborn.keeper.stop()
    assert stubborn.app.signals == [3]
    stubborn.push(9.9)
    assert not stubborn.keeper.shutdown.over
    stubborn.push(0.2)

    assert ("all", 9) in stubborn.app.signals
    assert stubborn.keeper.shutdown.over


def test_descendants_of_a_stopped_app_are_told_to_stop_and_have_what_is_left_of_its_time(serving: New) -> None:
    wrapped = serving()
    wrapped.app.descendants = True

    wrapped.keeper.stop()
    wrapped.look()
    assert wrapped.app.signals == [15, ("all", 15)]
    wrapped.push(9.9)
    assert not wrapped.keeper.shutdown.over
    wrapped.push(0.2)

    assert wrapped.keeper.shutdown.over


def test_stopping_while_down_does_not_start_the_app_again(serving: New) -> None:
    down = serving()
    down.die()

    down.keeper.stop()
    down.push(60)

    assert down.keeper.shutdown.over
    assert down.app.starts == 1


def test_who_comes_after_the_last_count_is_served_by_who_serves_now(serving: New, tmp_path: Path) -> None:
    retiring = serving()
    sibling = add_sibling(tmp_path)
    retiring.keeper.retire(0, 30, [])
    retiring.relay.queue = ["a straggler"]
    retiring.relay.busy = True

    retiring.push(1)
    assert retiring.relay.sent == [("a straggler", sibling)]
    assert retiring.events("gone")  # for others
    assert retiring.control.closed
    assert not retiring.keeper.shutdown.over
    retiring.relay.busy = False
    retiring.push(1)

    assert retiring.keeper.shutdown.over


def test_stragglers_are_served_for_drain_timeout_at_most(serving: New) -> None:
    retiring = serving(drain_timeout=30)
    retiring.relay.busy = True
    retiring.keeper.stop()
    retiring.look()

    retiring.push(29)
    assert not retiring.keeper.shutdown.over
    retiring.push(2)

    assert retiring.keeper.shutdown.over
