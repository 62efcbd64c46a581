"""A client meets the same slot again, by its address or by a cookie, and most do when slots come or go."""

from __future__ import annotations

import http.client
import os
from collections.abc import Mapping

import pytest

from zdd.nginx.config import render, sticky, upstream
from zdd.nginx.config.mark import Mark

from ..app import PATIENCE, App
from ..house import House

MARK = Mark("0123456789ab", "a" * 32, "b" * 32)
MANY = 200


def test_each_service_has_a_key_of_its_own_whatever_its_name() -> None:
    names = ["a-b", "a_b", "ab", "a" * 31, "a" * 30 + "b", "0"]
    keys = [str(sticky.Keys(MARK, dict.fromkeys(names, "ip")).of(name)) for name in names]

    assert len(set(keys)) == len(names)
    assert keys[1] == "$zdd_key_0123456789ab_a_b"
    assert all(len(key) <= 47 and key.removeprefix("$").replace("_", "").isalnum() for key in keys)
    assert sticky.Keys(MARK, {}).of("web") is None


def test_the_method_stands_before_the_pool_and_without_backups() -> None:
    lines = upstream.servers(["unix:/a", "unix:/b"], (1, 22, 1), key="$key").split("\n")

    assert lines[0] == "hash $key consistent;"
    assert not any("backup" in line for line in lines)
    assert lines[-1] == "keepalive_timeout 60ms;"


def test_an_include_has_the_keys_as_well() -> None:
    text = render.include("# zdd", {"web": ["unix:/a"]}, (1, 22, 1), MARK, bound={"web": "cookie:sid"})

    assert "hash $zdd_key_0123456789ab_web consistent;" in text
    assert 'map $cookie_sid $zdd_key_0123456789ab_web { default $cookie_sid; "" $remote_addr; }' in text


def test_a_client_is_known_by_its_address(house: House) -> None:
    house.serve(*apps(house, "abc"), mark=MARK, sticky={"web": "ip"})

    first = {number: met(house, number) for number in range(MANY)}

    assert set(first.values()) == {"a", "b", "c"}
    assert {number: met(house, number) for number in range(MANY)} == first


@pytest.mark.parametrize("name", ["sid", "PHPSESSID", "connect.sid", "__Host-a+b$c", "a|b'c`d"])
def test_a_client_is_known_by_a_cookie_wherever_it_comes_from(house: House, name: str) -> None:
    house.serve(*apps(house, "abc"), mark=MARK, sticky={"web": f"cookie:{name}"})

    def by(cookie: str) -> list[str]:
        return [met(house, number, {"Cookie": cookie.replace("NAME", name)}) for number in range(MANY)]

    assert len(set(by("NAME=abc.1; other=2"))) == 1
    assert len({met(house, 0, {"Cookie": f"{name}={number}"}) for number in range(MANY)}) == 3
    assert by("x=1; NAME=7") == by("NAME=7; x=1")
    addresses = [met(house, number) for number in range(MANY)]
    assert by("NAME=") == addresses
    assert by(f"x{name}=1") == addresses
    assert by("other=NAME=1") == addresses


def test_a_further_slot_takes_its_share_and_nobody_moves_between_the_others(house: House) -> None:
    three = apps(house, "abc")
    house.serve(*three, mark=MARK, sticky={"web": "ip"})
    before = [met(house, number) for number in range(MANY)]

    house.serve(*three, *apps(house, "d"), mark=MARK, sticky={"web": "ip"})
    after = [met(house, number) for number in range(MANY)]

    moved = [new for old, new in zip(before, after, strict=True) if old != new]
    assert set(moved) == {"d"}
    assert len(moved) < MANY / 2


def test_only_clients_of_a_dead_slot_are_led_elsewhere(house: House) -> None:
    three = apps(house, "abc")
    house.serve(*three, mark=MARK, sticky={"web": "ip"})
    before = [met(house, number) for number in range(MANY)]

    os.unlink(f"{house.folder}/b.sock")
    three[1].close()  # with it what nginx has pooled
    after = [met(house, number) for number in range(MANY)]

    assert all(new == old or old == "b" for old, new in zip(before, after, strict=True))
    assert "b" not in after


def apps(house: House, names: str) -> list[App]:
    return [house.app(name) for name in names]


def met(house: House, number: int, headers: Mapping[str, str] = {}) -> str:
    """The name of the app that answers a client of this number, whose address is its own."""
    source = (f"127.1.{number // 250}.{number % 250 + 1}", 0)
    connection = http.client.HTTPConnection("127.0.0.1", house.port, PATIENCE, source)
    try:
        connection.request("GET", "/", headers=dict(headers))
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read().decode()
    finally:
        connection.close()
