"""Which instance has answered a line of the access log: the rule, case by case."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from zdd.nginx.access_log import UNKNOWN, Folders, Reader, Request
from zdd.nginx.timeline import Timeline

TAIL = 0.12
CURRENT = "unix:/run/zdd/shop/current/"
FOLDERS = Folders("/S/releases", "/S/static", {"site": "dist", "docs": "docs/out"})


def publish(
    name: str, begin: float, end: float | None, before: str | None = None, **slots: str
) -> list[dict[str, Any]]:
    """The lines of a publish; each keyword is a service, with an instance and its release."""
    places = {f"{service}/00": place.split(" ") for service, place in slots.items()}
    lines: list[dict[str, Any]] = [{"table": name, "before": before, "from": begin, "slots": places}]
    return lines if end is None else [*lines, {"table": name, "to": end}]


ONE = publish("1", 100.0, 100.001, web="web-1 r1")
TWO = publish("2", 200.0, 200.001, "1", web="web-2 r2")
THREE = publish("3", 300.0, 300.001, "2", web="web-3 r3")


def reader(*lines: dict[str, Any], now: str | None = None, **clock: Any) -> Reader:
    encoded = [json.dumps(line).encode() for line in lines]
    return Reader(Timeline(encoded, now, **clock), CURRENT, TAIL, FOLDERS)


def line(at: float | None, msec: float, **more: str) -> bytes:
    fields = {
        "msec": f"{msec:.3f}",
        "at": "" if at is None else f"{at:.3f}",
        "seconds": "0.010",
        "status": "200",
        "slots": f"{CURRENT}web/00",
        "statuses": "200",
        "times": f"{msec - at:.3f}" if at else "0.010",
    }
    return json.dumps(fields | more).encode()


def seen(known: Reader, at: float | None, msec: float, **more: str) -> Request:
    found = known.read(line(at, msec, **more))
    assert found
    return found


@pytest.mark.parametrize(
    ("at", "msec", "instance"),
    [
        (150.0, 150.1, "web-1"),
        (199.9, 199.99, "web-1"),  # answered before the switch
        (199.9, 200.5, UNKNOWN),  # a worker that was stopped may have connected after it
        (198.9, 250.0, "web-1"),  # but not for more than a second: this one is just slow
        (200.05, 200.06, UNKNOWN),  # a pooled connection may lead to the old one
        (200.2, 200.3, "web-2"),
        (250.0, 320.0, "web-2"),
        (100.0, 100.01, UNKNOWN),  # before the first publish that is known
    ],
)
def test_a_line_has_an_instance_if_all_tables_of_the_time_of_its_connect_agree(
    at: float, msec: float, instance: str
) -> None:
    found = seen(reader(*ONE, *TWO, *THREE), at, msec)

    assert found.instance == instance
    assert found.release == (UNKNOWN if instance == UNKNOWN else f"r{instance[-1]}")
    assert (found.service, found.tried, found.status) == ("web", ["web/00"], 200)


def test_the_last_of_several_tries_counts_from_when_it_began() -> None:
    known = reader(*ONE, *TWO)
    tries = f"{CURRENT}web/01, {CURRENT}web/00"

    assert seen(known, 199.5, 200.8, slots=tries, times="1.000, 0.300").instance == "web-2"
    assert seen(known, 199.5, 200.8, slots=f"{CURRENT}web/00 : {CURRENT}web/00", times="1.000 : 0.300").tried == [
        "web/00",
        "web/00",
    ]


def test_without_the_moment_of_the_connect_the_whole_request_counts() -> None:
    known = reader(*ONE, *TWO, *THREE)

    assert seen(known, None, 200.4, seconds="0.100", times="0.100").instance == "web-2"
    assert seen(known, None, 200.4, seconds="0.400", times="0.100").instance == UNKNOWN
    assert seen(known, None, 250.0, seconds="60.000", times="0.100").instance == UNKNOWN


def test_a_moment_that_was_made_when_the_line_was_written_is_not_believed() -> None:
    """As in a server block that does not send X-Request-Start: this one has connected before the switch."""
    assert seen(reader(*ONE, *TWO), 200.4, 200.4, seconds="30.000", times="29.900").instance == "web-1"


@pytest.mark.parametrize("slots", ["", "-", "web", "unix:/run/zdd/other/current/web/00", "127.0.0.1:3000"])
def test_what_reached_no_instance_of_the_project_has_none(slots: str) -> None:
    found = seen(reader(*ONE), 150.0, 150.1, slots=slots)

    assert (found.service, found.instance, found.release) == (None, None, None)


def test_a_tcp_instance_is_known_by_its_address() -> None:
    one, done = publish("1", 100.0, 100.1)
    known = reader(one | {"slots": {"127.0.0.1:4000": ["api-1", "r1"]}}, done)

    found = seen(known, 150.0, 150.1, slots="127.0.0.1:4000")

    assert (found.service, found.instance, found.release) == ("api", "api-1", "r1")


def test_a_switch_back_is_a_switch() -> None:
    back = publish("1", 201.0, 201.001, "2", web="web-1 r1")
    known = reader(*ONE, *TWO, *back, now="1")

    assert [seen(known, at, at + 0.01).instance for at in (150, 200.5, 200.95, 201.05, 202)] == [
        "web-1",
        "web-2",
        "web-2",
        UNKNOWN,
        "web-1",
    ]


def test_between_both_lines_of_a_publish_either_table_may_be_in_force() -> None:
    known = reader(*ONE, *publish("2", 200.0, 202.0, "1", web="web-2 r2"))

    found = [seen(known, at, at + 0.01).instance for at in (199, 200.5, 201.9, 202.2)]

    assert found == ["web-1", UNKNOWN, UNKNOWN, "web-2"]


def test_after_a_kill_between_both_lines_nothing_is_known_until_the_next() -> None:
    """Whether the table of the first line was published nobody knows."""
    known = reader(
        *ONE, *publish("2", 200.0, None, "1", web="web-2 r2"), *publish("1", 210, 210.1, "1", web="web-1 r1")
    )

    assert [seen(known, at, at + 0.01).instance for at in (150, 200.5, 209, 211)] == [
        "web-1",
        UNKNOWN,
        UNKNOWN,
        "web-1",
    ]


@pytest.mark.parametrize(
    ("lines", "now"),
    [
        ([*ONE, {"gap": 190.0}], "1"),  # the disk was full
        (ONE, "2"),  # an older zdd has published another table
        ([*ONE, *publish("3", 300.0, 300.1, "2", web="web-3 r3")], "3"),  # and then a newer one
    ],
)
def test_where_publishes_are_missing_everything_since_the_last_is_unknown(
    lines: list[dict[str, Any]], now: str
) -> None:
    assert seen(reader(*lines, now=now), 250.0, 250.1).instance == UNKNOWN


def test_a_damaged_line_is_a_gap() -> None:
    one = [json.dumps(entry).encode() for entry in ONE]
    known = Reader(Timeline([*one, b'{"table": "2", "fr'], None), CURRENT, TAIL, FOLDERS)

    assert seen(known, 250.0, 250.1).instance == UNKNOWN


def test_a_connection_that_a_keeper_may_have_passed_on_is_unknown() -> None:
    known = reader(*ONE, {"handed": "web-1", "at": 150.0})

    assert [seen(known, at, at + 2).instance for at in (147.5, 149, 150.9, 151.2)] == [
        "web-1",
        UNKNOWN,
        UNKNOWN,
        "web-1",
    ]
    assert seen(known, 140.0, 160.0).instance == UNKNOWN


def test_what_goes_to_the_slot_of_an_instance_that_leads_to_another_is_unknown() -> None:
    moments = ((150.0, True), (160.0, True), (170.0, False))
    led = [{"handed": "web-1", "at": at, "led": begins} for at, begins in moments]
    known = reader(*ONE, *led)

    instances = [seen(known, at, at + 0.01).instance for at in (149.5, 150.2, 165.0, 170.5, 172.0)]
    assert instances == ["web-1", UNKNOWN, UNKNOWN, UNKNOWN, "web-1"]
    assert seen(reader(*ONE, *led[:2]), 199.0, 199.1).instance == UNKNOWN, "its keeper may have been killed"
    assert seen(reader(*ONE, led[2]), 180.0, 180.1).instance == "web-1"


def test_where_the_clock_was_set_the_times_about_then_count_for_nobody() -> None:
    one, two = ([entry | {"boot": "b", "clock": clock} for entry in both] for both, clock in ((ONE, 50.0), (TWO, 45.0)))
    known = reader(*one, *two, now="2", boot="b", clock=45.0)

    assert [seen(known, at, at + 0.01).instance for at in (150.0, 196.0, 204.0, 206.0)] == [
        "web-1",
        UNKNOWN,
        UNKNOWN,
        "web-2",
    ]


def test_a_line_of_a_clock_that_was_set_back_since_counts_for_nobody() -> None:
    found = seen(reader(*ONE, *TWO, until=250.0), 260.0, 260.1)

    assert (found.instance, found.time) == (UNKNOWN, 260.1)


def test_a_websocket_of_hours_has_the_instance_that_it_was_opened_with() -> None:
    known = reader(*ONE, *TWO, *publish("3", 20_000.0, 20_000.1, "2", web="web-3 r3"))

    assert seen(known, 150.0, 30_000.0, status="101", seconds="29850.000").instance == "web-1"
    assert seen(known, 20_001.0, 30_000.0, status="101", seconds="9999.000").instance == "web-3"


def test_the_clock_of_another_boot_says_nothing() -> None:
    one, two = (
        [entry | {"boot": boot, "clock": 9.0 * len(boot)} for entry in both] for both, boot in ((ONE, "b"), (TWO, "cc"))
    )

    assert seen(reader(*one, *two), 195.0, 195.1).instance == "web-1"


def test_behind_a_pool_without_a_bound_only_what_never_changed_is_known() -> None:
    lines = [json.dumps(entry).encode() for entry in (*ONE, *TWO)]
    known = Reader(Timeline(lines, None), CURRENT, math.inf, FOLDERS)

    assert seen(known, 250.0, 250.1).instance == UNKNOWN


def test_files_that_nginx_serves_have_the_release_of_their_folder() -> None:
    lines = [*publish("1", 100.0, 100.1), *publish("2", 200.0, 200.001, "1")]
    for begin, release in zip(lines[::2], ("r1", "r2"), strict=True):
        begin["slots"] = {"site/static": ["", release]}
    known = reader(*lines)

    def found(msec: float, number: int) -> tuple[str | None, ...]:
        one = seen(known, None, msec, slots="", times="", root=f"/S/releases/r{number}/dist")
        return one.service, one.instance, one.release

    assert found(150, 1) == ("site", None, "r1")
    assert found(250, 2) == ("site", None, "r2")
    assert found(250, 1) == ("site", None, "r1"), "a download that began before the switch"
    assert found(200.005, 2) == ("site", None, "r2")


@pytest.mark.parametrize(
    ("root", "service", "release"),
    [
        ("/S/releases/r1/dist", "site", "r1"),
        ("/S/releases/r1/docs/out", "docs", "r1"),
        ("/S/releases/r1/elsewhere", None, "r1"),  # as it was configured then, with two services
        ("/S/releases/r2/elsewhere", "site", "r2"),
        ("/S/releases/r3/dist", "site", "r3"),  # its publish is not known
        ("/S/static/site", "site", None),
        ("/S/assets/static", None, None),
        ("/srv/other", None, None),
    ],
)
def test_the_folder_says_the_service_and_the_release(root: str, service: str | None, release: str | None) -> None:
    one, two = publish("1", 100.0, None), publish("2", 200.0, None, "1")
    one[0]["slots"] = {"site/static": ["", "r1"], "docs/static": ["", "r1"], "web/00": ["web-1", "r1"]}
    two[0]["slots"] = {"site/static": ["", "r2"]}

    found = seen(reader(*one, *two), None, 250.0, slots="", times="", root=root)

    assert (found.service, found.instance, found.release) == (service, None, release)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\n",
        b"no",
        b'{"msec":"nan","status":"200","seconds":"0.000"}',
        b'{"msec":"1',
        b"[]",
        b'{"msec":"1.0","status":"x","seconds":"0"}',
        b'{"seconds":"0"}',
        b"\xff",
    ],
)
def test_a_damaged_line_of_the_log_is_none(damaged: bytes) -> None:
    assert reader(*ONE).read(damaged) is None


@pytest.mark.parametrize("field", ["msec", "at", "seconds", "status", "bytes", "connection", "times", "slots", "root"])
@pytest.mark.parametrize(
    "value", ["NaN", "-1", "1e9", "9" * 400, "0" * 5000, "/", ", , ", "\x1b", "\ud800", None, 7, []]
)
def test_whatever_somebody_has_written_into_a_line_it_is_a_request_or_none(field: str, value: Any) -> None:
    fields = json.loads(line(150.0, 150.1)) | {field: value}

    assert isinstance(reader(*ONE).read(json.dumps(fields).encode()), Request | None)


def test_a_line_with_bytes_that_are_no_text_is_read() -> None:
    found = reader(*ONE).read(line(150.0, 150.1, path="/PATH").replace(b"PATH", b"\xff\xfe"))

    assert found
    assert found.path == "/\ufffd\ufffd"
