from __future__ import annotations

import os
import time

from tests.waiting import eventually
from zdd.nginx.config import upstream

from ..app import App, ask, reset
from ..house import House

NEW, OLD = (1, 19, 10), (1, 18, 0)


def test_one_target_is_one_server_with_the_bounds_of_its_pool() -> None:
    assert upstream.servers(["unix:/r/web/00"], NEW) == (
        "server unix:/r/web/00;\nkeepalive 64;\nkeepalive_time 60ms;\nkeepalive_timeout 60ms;"
    )


def test_without_keepalive_time_there_is_no_pool() -> None:
    assert upstream.servers(["127.0.0.1:81"], OLD) == "server 127.0.0.1:81;"


def test_several_targets_are_left_out_for_a_second_and_are_their_own_spares() -> None:
    assert upstream.servers(["unix:/a", "unix:/b"], OLD).split("\n") == [
        "server unix:/a max_fails=1 fail_timeout=1s;",
        "server unix:/b max_fails=1 fail_timeout=1s;",
        "server unix:/a max_fails=0 backup;",
        "server unix:/b max_fails=0 backup;",
    ]
    assert "backup" not in upstream.servers(["unix:/a", "unix:/b"], OLD, backups=False)


def test_targets_of_a_client_of_their_own_are_never_left_out() -> None:
    """`hash` takes no spares: if all had failed in one moment, all would be left out for a second."""
    assert upstream.servers(["unix:/a", "unix:/b"], OLD, key="$key").split("\n") == [
        "hash $key consistent;",
        "server unix:/a max_fails=0;",
        "server unix:/b max_fails=0;",
    ]


def test_words_that_would_not_be_one_are_quoted() -> None:
    assert upstream.servers(['unix:/my "x" {y}'], OLD) == 'server "unix:/my \\"x\\" {y}";'


def test_an_upstream_without_targets_answers_502(house: House) -> None:
    house.serve()

    assert ask(house.port).status == 502


def test_a_dead_slot_costs_no_request_and_hardly_a_line_in_the_log(house: House) -> None:
    apps = [house.app("a"), house.app("b")]
    house.serve(*apps)
    os.unlink(f"{house.folder}/a.sock")
    begun = time.monotonic()

    statuses = {ask(house.port, method=method).status for _ in range(50) for method in ("GET", "POST")}

    assert statuses == {200}
    assert len(apps[0].requests) == 0
    with open(house.error_log) as log:
        lines = log.read().count("failed")  # one of each worker in a second; max_fails=0 would write 50 or more
    assert lines <= 2 * (2 + time.monotonic() - begun)


def test_slots_that_all_failed_answer_as_soon_as_they_are_back(house: House) -> None:
    paths = [f"{house.folder}/{name}.sock" for name in ("a", "b")]
    house.serve(house.app("a"), house.app("b"))
    for path in paths:
        os.rename(path, f"{path}.away")
    down = {ask(house.port).status for _ in range(20)}
    for path in paths:
        os.rename(f"{path}.away", path)

    up = {ask(house.port, method=method).status for _ in range(20) for method in ("GET", "POST")}

    assert (down, up) == ({502}, {200})


def test_a_single_slot_that_failed_answers_as_soon_as_it_is_back(house: House) -> None:
    path = f"{house.folder}/a.sock"
    house.serve(house.app("a"))
    os.rename(path, f"{path}.away")
    down = {ask(house.port).status for _ in range(5)}
    os.rename(f"{path}.away", path)

    assert (down, ask(house.port).status) == ({502}, 200)


def test_a_post_is_not_repeated_after_a_reset_and_a_get_is_repeated_once(house: House) -> None:
    apps = [house.app(name, behaviour=reset) for name in ("a", "b", "c")]
    house.serve(*apps)

    post = ask(house.port, method="POST", body=b"x")
    posts = requests(apps)
    get = ask(house.port)

    assert (post.status, posts) == (502, 1)
    assert (get.status, requests(apps) - posts) == (502, 2)


def test_a_post_that_was_refused_goes_to_the_next_slot(house: House) -> None:
    alive = house.app("b", tcp=True)
    dead = house.app("a", tcp=True)
    dead.close()
    house.serve(dead, alive)

    statuses = [ask(house.port, method="POST", body=b"x").status for _ in range(6)]

    assert statuses == [200] * 6
    assert [request.body for request in alive.requests] == [b"x"] * 6


def requests(apps: list[App]) -> int:
    eventually(lambda: not any(app.open for app in apps))
    return sum(len(app.requests) for app in apps)
