"""Several instances of a service: one crashes, then another one, or all at once."""

from __future__ import annotations

import os
import signal

import pytest

from tests.waiting import eventually
from zdd.keeper.record import Record
from zdd.keeper.siblings import Siblings

from .instance import HELD_UP, House, Instance, answer, end, freeze

KINDS = ["fd", "unix", "tcp"]
BROKEN = "if os.path.exists(os.environ['HERE'] + '/broken'): sys.exit(1)"


def started(house: House, count: int, **record: object) -> list[Instance]:
    """Instances that serve, and that the table in force has."""
    made = [house.instance(alone=False, **record).start() for _ in range(count)]
    house.publish(*made)
    return made


def is_back(instance: Instance) -> bool:
    return instance.state() == "serving"


@pytest.mark.parametrize("kind", ["fd", "unix"])
def test_one_of_three_leads_to_another_while_it_is_down(house: House, kind: str) -> None:
    three = started(house, 3, socket=kind, env={"PRELUDE": HELD_UP})
    one = three[1]
    house.write("down")

    one.kill()
    eventually(lambda: os.path.islink(one.socket))
    assert [one.request() for _ in range(3)] == [str(three[0].pid())] * 3
    os.unlink(f"{house.path}/down")
    eventually(lambda: is_back(one))

    assert [one.request() for one in three] == [str(one.pid()) for one in three]
    assert not os.path.islink(one.socket)


@pytest.mark.parametrize("kind", KINDS)
def test_who_waited_at_a_crashed_instance_is_answered_by_its_sibling(house: House, kind: str) -> None:
    one, other = started(house, 2, socket=kind, env={"PRELUDE": BROKEN})
    house.write("broken")
    one.kill()
    keeper = one.freeze_between_starts()

    waiting = [one.send() for _ in range(5)]
    keeper.signal(signal.SIGCONT)

    assert {answer(each) for each in waiting} == {str(other.pid())}


def test_what_an_app_had_not_accepted_when_it_crashed_is_answered_by_its_sibling(house: House) -> None:
    one, other = started(house, 2)
    app, keeper = one.process(), one.keeper()
    freeze(keeper)
    end(app)

    waiting = one.send()
    keeper.signal(signal.SIGCONT)

    assert answer(waiting) == str(other.pid())


@pytest.mark.parametrize("kind", KINDS)
def test_while_all_are_down_connections_wait_for_the_first_that_is_back(house: House, kind: str) -> None:
    three = started(house, 3, socket=kind, env={"PRELUDE": BROKEN})
    house.write("broken")
    for each in three:
        each.kill()
    keepers = [each.freeze_between_starts() for each in three]

    waiting = [each.send() for each in three for _ in range(5)]
    os.unlink(f"{house.path}/broken")
    keepers[1].signal(signal.SIGCONT)
    eventually(lambda: is_back(three[1]))
    keepers[0].signal(signal.SIGCONT)
    keepers[2].signal(signal.SIGCONT)

    pids = {str(each.pid()) for each in three}
    assert {answer(each) for each in waiting} <= pids


@pytest.mark.parametrize("kind", ["fd", "unix"])
def test_of_two_that_crash_in_turn_nobody_is_refused(house: House, kind: str) -> None:
    one, other = started(house, 2, socket=kind, env={"PRELUDE": BROKEN})
    house.write("broken")
    one.kill()
    eventually(lambda: os.path.islink(one.socket))
    other.kill()
    eventually(lambda: not os.path.samefile(other.socket, other.keep))

    waiting = [each.send() for each in (one, other) for _ in range(5)]  # also through the link, that leads on
    os.unlink(f"{house.path}/broken")

    answers = {answer(each) for each in waiting}
    eventually(lambda: is_back(one) and is_back(other))
    assert answers <= {str(one.pid()), str(other.pid())}
    assert [one.request(), other.request()] == [str(one.pid()), str(other.pid())]


@pytest.mark.parametrize("kind", ["fd", "unix"])
def test_two_never_lead_to_each_other(house: House, kind: str) -> None:
    pair = started(house, 2, socket=kind, env={"PRELUDE": BROKEN})
    house.write("broken")
    apps, keepers = [each.process() for each in pair], [each.keeper() for each in pair]
    for keeper in keepers:
        freeze(keeper)
    for app in apps:
        end(app)
    for keeper in keepers:
        keeper.signal(signal.SIGCONT)

    for each in pair:
        each.await_event("state", state="starting")
    waiting = [each.send() for each in pair]
    assert sum(os.path.islink(each.socket) for each in pair) <= 1
    os.unlink(f"{house.path}/broken")

    assert all(answer(each) for each in waiting)


def test_an_instance_comes_back_beside_a_sibling_only_when_it_answers_well(house: House) -> None:
    other = house.instance(alone=False).start()
    one = house.instance(alone=False, env={"STATUS": "503 Busy"}).start()
    house.publish(one, other)

    one.kill()
    one.await_output("got /health", 3)

    assert one.request() == str(other.pid())
    assert one.state() == "starting"


@pytest.mark.parametrize("kind", ["fd", "unix"])
def test_nobody_is_led_to_an_instance_whose_keeper_and_app_were_killed(house: House, kind: str) -> None:
    one, dead, other = started(house, 3, socket=kind, env={"PRELUDE": BROKEN})
    app, keeper = dead.process(), dead.keeper()
    freeze(keeper)
    end(app)
    end(keeper)
    house.write("broken")

    one.kill()
    eventually(lambda: os.path.islink(one.socket))

    assert one.request() == str(other.pid())


@pytest.mark.parametrize("kind", KINDS)
def test_when_nobody_has_answered_for_hold_max_connections_are_refused(house: House, kind: str) -> None:
    pair = started(house, 2, socket=kind, hold_max=0.5, env={"PRELUDE": BROKEN})
    house.write("broken")
    for each in pair:
        each.kill()
    for each in pair:
        each.await_event("state", state="down")

    assert [is_refused(each) for each in pair] == [True, True]
    assert "DOWN: no instance has answered for 0.5 s" in pair[0].output()
    os.unlink(f"{house.path}/broken")
    eventually(lambda: all(map(is_back, pair)))

    assert [each.request() for each in pair] == [str(each.pid()) for each in pair]


def is_refused(web: Instance) -> bool:
    try:
        return answer(web.send()) == ""
    except OSError:
        return True


def test_users_may_change_while_a_path_leads_to_a_sibling(house: House) -> None:
    one, other = started(house, 2, env={"PRELUDE": BROKEN})
    house.write("broken")
    one.kill()
    eventually(lambda: os.path.islink(one.socket))

    assert one.ask("access", users=[os.geteuid()])["ok"]
    assert one.request() == str(other.pid())


def test_before_the_switch_no_version_in_force_counts_as_a_sibling(house: House) -> None:
    old = started(house, 2)
    fresh = house.instance(alone=False, env={"PRELUDE": BROKEN}).start()
    record = Record.read(fresh.path)

    assert Siblings(record).serving() is None
    assert Siblings(record).taking() == old[0].socket
    house.publish(fresh, old[1])
    assert Siblings(record).serving() == old[1].socket
