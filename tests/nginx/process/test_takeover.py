"""An nginx whose master was killed: its workers serve on, and the next one takes their sockets over."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.host.test_net_tcp import refuse_netlink
from tests.waiting import eventually
from zdd.host import process
from zdd.load import Kind, Load, Spec

from ..app import ask
from ..house import House


@pytest.fixture
def other(program: str) -> Iterator[House]:
    """An nginx of somebody else's."""
    made = House(program)
    yield made
    made.end()


def kill_master(house: House) -> list[int]:
    """Kill the master; returns its workers, which serve on."""
    workers = [worker.pid for worker in house.workers()]
    eventually(lambda: all("worker" in process.title(pid) for pid in workers), what="workers with titles of their own")
    master = house.nginx.master()
    assert master is not None
    master.signal(signal.SIGKILL)
    assert master.wait(30)
    return workers


def test_workers_without_a_master_are_left_be_while_the_text_stays(house: House) -> None:
    house.nginx.apply(house.simple("one"))
    workers = kill_master(house)

    change = house.nginx.apply(house.simple("one"))

    assert change == "unchanged"
    assert sorted(worker.pid for worker in house.nginx.orphans()) == sorted(workers)
    assert ask(house.port).body == b"one"


def test_a_new_text_takes_their_sockets_over_and_costs_only_what_a_reload_does(house: House) -> None:
    house.nginx.apply(house.simple("one"))
    kill_master(house)
    with Load(Spec(f"127.0.0.1:{house.port}", (Kind(), Kind("POST", "/", body=500)), rate=200)) as load:
        change = house.nginx.apply(house.simple("two"))
        eventually(lambda: not house.nginx.orphans())
        report = load.stop()

    assert change == "started"
    assert set(report.failed) <= {"reset"}, report.failures[:3]  # of idle connections, which the old workers close
    assert ask(house.port).body == b"two"
    assert house.nginx.master()
    assert house.nginx.apply(house.simple("three")) == "reloaded"  # and it is an nginx like any other
    assert ask(house.port).body == b"three"


def test_they_are_stopped_like_a_whole_nginx(house: House) -> None:
    house.nginx.apply(house.simple("one"))
    kill_master(house)

    house.nginx.stop()

    assert house.nginx.orphans() == []


def test_without_netlink_too_its_own_are_known_from_those_of_others(
    house: House, other: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (house, other):
        each.nginx.apply(each.simple("one"))
    workers = kill_master(house)
    kill_master(other)
    refuse_netlink(monkeypatch)

    assert sorted(worker.pid for worker in house.nginx.orphans()) == sorted(workers)

    house.nginx.stop()
    assert house.nginx.orphans() == []
    assert other.nginx.orphans() != []
