"""What a deploy does that costs, counted: a slow machine cannot fail it. `python -m tools.cost` measures times."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.cost import OWN, Site

MODULES = 208  # of zdd


@pytest.fixture(scope="module")
def events() -> Iterator[list[str]]:
    """What the second deploy of an instant app imports, opens, lists and runs, in this order."""
    site = Site(OWN)
    try:
        site.deploy()
        yield site.watched()
    finally:
        site.project.end()


def test_no_look_at_all_processes(events: list[str]) -> None:
    assert events.count("os.listdir /proc") == 0


def test_nginx_is_not_asked_again_what_it_is(events: list[str]) -> None:
    runs = [event for event in events if event.startswith("subprocess.Popen")]

    assert any("/keeper/__main__.py" in run for run in runs)
    assert [run for run in runs if run.endswith("nginx -V")] == []


def test_before_the_app_starts_no_more_is_imported_than_that_needs(events: list[str]) -> None:
    keeper = next(number for number, event in enumerate(events) if "/keeper/__main__.py" in event)
    before = {event.removeprefix("import ") for event in events[:keeper] if event.startswith("import ")}

    assert not before & {"_hashlib", "socket", "zdd.conf.env_file", "zdd.nginx.gate", "zdd.operate.in_place"}
    assert len([name for name in before if name.partition(".")[0] == "zdd"]) <= MODULES


def test_what_commit_and_undo_need_is_written_while_the_app_boots(events: list[str]) -> None:
    """On a disk each of the two files takes some milliseconds, which nobody waits for then."""
    keeper = next(number for number, event in enumerate(events) if "/keeper/__main__.py" in event)
    attached = next(number for number, event in enumerate(events) if number > keeper and event.endswith("web-2.pids"))
    written = [event for event in events[keeper:attached] if event.startswith("os.rename")]

    assert [event.rpartition(".")[2] for event in written if "/manifest." in event] == ["committed", "back"]


def test_what_the_switch_needs_is_imported_while_the_app_boots(events: list[str]) -> None:
    keeper = next(number for number, event in enumerate(events) if "/keeper/__main__.py" in event)
    switch = next(number for number, event in enumerate(events) if event.endswith("/R/current"))

    assert {"import zdd.nginx.gate", "import zdd.operate.in_place"} <= set(events[keeper:switch])
    assert [event for event in events[switch:] if event.startswith("import ")] == []
