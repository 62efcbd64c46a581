"""What is noted of each publish, and that no publish fails by it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from zdd.host import json_lines, rotation
from zdd.routing import publishes
from zdd.routing.manifest import Instance, Manifest
from zdd.routing.tables import RoutingTables


def put(tables: RoutingTables, deploy: int, before: int | None = None, union: bool = False) -> Manifest:
    """Publish a table with a slot and a port, or the union with the table before."""
    web = Instance(f"web-{deploy}", "web", "fd", release=f"r{deploy}")
    api = Instance(f"api-{deploy}", "api", "tcp", release=f"r{deploy}", port=4000 + deploy)
    instances = {one.name: one for one in (web, api)}
    made = Manifest(deploy=deploy, action="deploy", instances=instances, before=before)
    tables.write(made)
    older = {"web/00": f"web-{before}"} if union else {}
    slots = {"web/01": web.name, **older} if union else made.slots()
    tables.publish(tables.build(deploy, slots, f"{deploy}+" if union else None))
    return made


def noted(tables: RoutingTables) -> list[dict[str, Any]]:
    return [json.loads(line) for line in json_lines.read(tables.paths.publishes)]


def test_what_is_in_force_is_noted_before_the_rename_and_after_it(
    tables: RoutingTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tables, 1)
    rename, seen = os.rename, list[list[str]]()

    def looking(source: str, target: str, **more: Any) -> None:
        if os.path.basename(target) == "current":
            seen.append([key for line in noted(tables) for key in ("from", "to") if key in line])
        rename(source, target, **more)

    monkeypatch.setattr(os, "rename", looking)
    begun = time.time()
    put(tables, 2, before=1)

    assert seen == [["from", "to", "from"]]
    *_, begin, end = noted(tables)
    assert begin["slots"] == {"web/00": ["web-2", "r2"], "127.0.0.1:4002": ["api-2", "r2"]}
    assert (begin["table"], begin["before"], end["table"]) == ("2", "1", "2")
    assert begun <= begin["from"] <= end["to"] <= time.time()


def test_every_way_of_publishing_is_noted(tables: RoutingTables) -> None:
    put(tables, 1)
    made = put(tables, 2, before=1, union=True)
    put(tables, 2, before=1)
    tables.make_ready(made, ["1"])
    tables.go_back("1", 2)
    tables.go_back("1", 2)  # it is in force already
    tables.confirm()
    tables.unpublish()

    assert [line["table"] for line in noted(tables) if "from" in line] == ["1", "2+", "2", "1", "1", None]
    assert [line["table"] for line in noted(tables) if "to" in line] == ["1", "2+", "2", "1", "1", None]


def test_a_union_has_the_instances_and_ports_of_both(tables: RoutingTables) -> None:
    put(tables, 1)
    put(tables, 2, before=1, union=True)

    assert noted(tables)[-2]["slots"] == {
        "web/00": ["web-1", "r1"],
        "web/01": ["web-2", "r2"],
        "127.0.0.1:4001": ["api-1", "r1"],
        "127.0.0.1:4002": ["api-2", "r2"],
    }


def test_the_release_of_an_older_instance_is_in_its_own_table(tables: RoutingTables) -> None:
    put(tables, 1)
    put(tables, 2, before=1)
    tables.write(Manifest(deploy=3, action="deploy", instances={}, before=2))

    tables.publish(tables.build(3, {"web/00": "web-1"}))

    assert noted(tables)[-2]["slots"] == {"web/00": ["web-1", "r1"]}


@pytest.mark.parametrize("fails", ["write", "open", "pread"])
def test_a_publish_succeeds_although_nothing_can_be_noted(
    tables: RoutingTables, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tables, 1)
    real = getattr(os, fails)

    def failing(first: Any, *args: Any, **more: Any) -> Any:
        about = os.readlink(f"/proc/self/fd/{first}") if isinstance(first, int) else first
        if about == tables.paths.publishes:
            raise OSError(28, "No space left on device")
        return real(first, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, fails, failing)
        put(tables, 2, before=1)

    assert tables.published() == "2"
    assert [next(iter(line)) for line in noted(tables)] == ["table", "table", "gap"]
    put(tables, 3, before=2)
    assert [next(iter(line)) for line in noted(tables)] == ["table", "table", "gap", "table", "table"]


def test_a_large_file_is_kept_for_as_long_as_a_log_is_as_old(
    tables: RoutingTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tables.paths.publishes
    monkeypatch.setattr(publishes, "_LARGE", 100)
    put(tables, 1)
    put(tables, 2, before=1)

    publishes.prune(path, time.time() - 10)

    assert len(noted(tables)) == 6  # both, and what is in force again
    assert noted(tables)[-2:] == noted(tables)[2:4]
    put(tables, 3, before=2)
    older = Path(rotation.older(path)).read_text()
    publishes.prune(path, time.time() - 10)
    assert Path(rotation.older(path)).read_text() == older
    publishes.prune(path, time.time() + 10)
    assert [line["table"] for line in noted(tables) if "from" in line] == ["2", "3", "3"]
    publishes.prune(path, None)
    assert [line["table"] for line in noted(tables) if "from" in line] == ["3", "3"]


def test_what_leads_elsewhere_is_still_known_after_the_file_was_begun_anew(
    tables: RoutingTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tables.paths.publishes
    monkeypatch.setattr(publishes, "_LARGE", 100)
    put(tables, 1)
    for instance, is_led in (("web-1", True), ("web-2", True), ("web-2", False)):
        json_lines.append(path, {"handed": instance, "at": 1.0, "led": is_led})

    publishes.prune(path, None)

    lines = map(json.loads, Path(path).read_text().splitlines())
    assert [line.get("handed") for line in lines] == [None, None, "web-1"]
