"""A stop-first change-over between real keepers, and requests that wait."""

from __future__ import annotations

import signal
import socket
from typing import Any

from tests.waiting import eventually
from zdd.host.process import Process

from .conftest import New
from .instance import House, Instance, answer, end

# In PRELUDE: an app that ends where another one runs, and one that does not end when it is told to
ALONE = "import fcntl; lock = open(os.environ['HERE'] + '/lock', 'a'); fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
ANOTHER_RUNS = "BlockingIOError"


def successor(house: House, *old: Instance, **record: Any) -> Instance:
    """The new version, holding its socket, and published."""
    predecessors = [{"control": one.control, "socket": one.socket} for one in old]
    new = house.instance(held=True, predecessors=predecessors, **record).launch()
    house.publish(new)
    return new


def rest(instance: Instance, way_back: bool = True) -> None:
    """Put it to rest, as the command line does."""
    assert instance.ask("rest", drain=10, way_back=way_back)["ok"]
    eventually(lambda: instance.state() == "resting", what="rest")


def prove(instance: Instance) -> None:
    """Start it and call it healthy."""
    assert instance.ask("start")["ok"]
    instance.pid()
    eventually(lambda: can_connect(instance.ask("status")["address"]), what="an app that listens")
    assert instance.ask("healthy")["ok"]


def can_connect(address: str) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(address) == 0


def test_who_comes_to_the_new_version_waits_until_it_has_proved_itself(house: House) -> None:
    old = house.instance().start()
    new = successor(house, old)
    waiting = [new.send("/waiting") for _ in range(5)]
    rest(old)
    new.ask("start")
    new.await_output("up")
    assert "got /waiting" not in new.lines(), "somebody was let in before"

    new.ask("healthy")

    assert {answer(connection) for connection in waiting} == {str(new.pid())}
    assert new.request() == str(new.pid())


def test_more_can_wait_than_a_process_may_have_descriptors(house: House) -> None:
    new = successor(house)
    waiting = [new.send() for _ in range(600)]

    prove(new)

    assert {answer(connection) for connection in waiting} == {str(new.pid())}


def test_who_comes_late_to_the_old_version_is_led_to_the_new_one(house: House) -> None:
    old = house.instance().start()
    new = successor(house, old)
    rest(old)

    late = old.send("/late")
    prove(new)

    assert answer(late) == str(new.pid())


def test_an_app_at_rest_can_be_started_again_and_again(house: House) -> None:
    web = house.instance().start()
    house.publish(web)
    apps = {web.pid()}
    for _ in range(3):
        rest(web)
        waiting = web.send()
        prove(web)
        apps.add(int(answer(waiting)))

    assert len(apps) == 4


def test_deserted_before_it_was_told_to_start_the_new_version_gives_back(house: House) -> None:
    old = house.instance().start()
    new = successor(house, old, hold_max=600)
    rest(old)
    waiting = new.send()

    desert(old, new)

    assert answer(waiting) == str(old.pid())
    assert new.request() == str(old.pid()), "who comes still is relayed"
    assert new.ask("status")["pid"] is None


def test_deserted_while_the_old_version_still_drains_that_one_goes_on(house: House) -> None:
    old = house.instance().start()
    busy = old.send("/wait/enough")
    new = successor(house, old)
    old.ask("rest", drain=30, way_back=True)
    waiting = new.send()

    desert(old, new)
    house.write("enough")

    assert answer(busy)
    assert answer(waiting) == str(old.pid())


def test_deserted_after_it_was_told_to_start_the_new_version_finishes(house: House) -> None:
    old = house.instance().start()
    new = successor(house, old)
    rest(old)
    waiting = new.send()
    new.ask("start")

    desert(old, new)

    assert answer(waiting) == str(new.pid())
    assert old.state() == "resting"


def test_a_new_version_that_dies_deserted_gives_back(house: House) -> None:
    old = house.instance().start()
    new = successor(house, old, argv=["/bin/sh", "-c", "sleep 0.3; exit 3"])
    rest(old)
    waiting = new.send()
    new.ask("start")

    desert(old, new)

    assert answer(waiting) == str(old.pid())


def test_a_new_version_that_is_never_well_gives_back_when_the_time_is_up(house: House) -> None:
    old = house.instance().start()
    new = successor(house, old, argv=["/bin/sleep", "600"], hold_max=0.5)
    rest(old)
    waiting = new.send()
    new.ask("start")

    assert answer(waiting) == str(old.pid()), "although somebody is attached, who hangs"


def test_with_nothing_to_give_back_to_the_new_version_is_started_after_all(house: House) -> None:
    old = house.instance().start()
    new = successor(house, old)
    rest(old)
    waiting = new.send()
    keeper = old.keeper()
    keeper.signal(signal.SIGKILL)
    assert keeper.wait(30)

    desert(new)

    assert answer(waiting) == str(new.pid())


def test_an_app_whose_keeper_was_killed_ends_before_the_new_version_starts(house: House) -> None:
    old = house.instance(stop_timeout=0.5, env={"PRELUDE": f"{ALONE}; {STUBBORN}"}).start()
    new = successor(house, old, env={"PRELUDE": ALONE})
    old.ask("rest", drain=0, way_back=True)
    waiting = new.send()

    end(old.keeper())
    desert(new)

    assert answer(waiting) == str(new.pid())
    assert ANOTHER_RUNS not in new.output()


def test_an_app_whose_keeper_was_killed_may_finish_its_requests(house: House) -> None:
    old = house.instance(env={"PRELUDE": ALONE}).start()
    app = old.pid()
    busy = old.send("/wait/enough")
    old.await_output("got /wait/enough")
    new = successor(house, old, env={"PRELUDE": ALONE})
    old.ask("rest", drain=30, way_back=True)
    waiting = new.send()

    end(old.keeper())
    desert(new)
    eventually(lambda: new.state() == "starting", what="the wait for its end")
    house.write("enough")

    assert answer(busy) == str(app)
    assert answer(waiting) == str(new.pid())
    assert ANOTHER_RUNS not in new.output()


def test_a_version_that_is_going_for_good_ends_before_the_new_one_starts(house: House) -> None:
    old = house.instance(stop_timeout=1, env={"PRELUDE": f"{ALONE}; {STUBBORN}"}).start()
    new = successor(house, old, env={"PRELUDE": ALONE})
    waiting = new.send()

    old.ask("stop")
    desert(new)

    assert answer(waiting) == str(new.pid())
    assert ANOTHER_RUNS not in new.output()


def test_the_way_back_stays_until_it_is_sent_away(house: House) -> None:
    old = house.instance().start()
    new = successor(house, old)
    rest(old)
    prove(new)
    desert(old, new)
    assert old.state() == "resting"

    old.ask("retire", warm=0, drain=0, workers=[])

    assert old.await_end() == 0
    assert new.request() == str(new.pid())


def test_requests_wait_while_paused_and_the_app_runs_on(new: New) -> None:
    web = new().start()
    app = web.pid()
    assert web.ask("pause", seconds=30)["ok"]
    waiting = web.send()
    assert 0 < web.ask("status")["paused"] <= 30

    assert web.ask("resume")["ok"]

    assert answer(waiting) == web.request() == str(app)
    assert web.ask("resume")["error"] == "the instance is serving: it was not paused"


def test_a_pause_ends_at_its_maximum(new: New) -> None:
    web = new().start()
    web.ask("pause", seconds=0.3)

    assert web.request() == str(web.pid())
    assert web.ask("status")["paused"] is None


def test_who_gave_up_in_a_pause_does_not_have_the_request_executed(new: New) -> None:
    web = new().start()
    web.ask("pause", seconds=30)
    with web.send("/gave-up"):
        pass
    stayed = web.send("/stayed")
    web.ask("resume")

    assert answer(stayed)
    assert "got /gave-up" not in web.lines()


def test_what_has_its_own_socket_cannot_pause(new: New) -> None:
    web = new(socket="tcp").start()

    assert web.ask("pause", seconds=1)["error"] == "the instance is serving: its requests cannot wait"


def desert(*instances: Instance) -> None:
    """The zddeploy that was attached dies."""
    for instance in instances:
        assert instance.leased is not None
        instance.leased.close()
    assert all(isinstance(instance.keeper(), Process) for instance in instances)
