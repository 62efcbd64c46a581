from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.deploy.full import Full, filesystem
from zdd.errors import NeedsPerson
from zdd.routing.manifest import Instance, Manifest, turned_back
from zdd.routing.tables import KEEP_REPLACED, RoutingTables


def manifest(deploy: int, *names: str, before: int | None = None) -> Manifest:
    instances = {name: Instance(name, name.rpartition("-")[0], "fd") for name in names}
    return Manifest(deploy=deploy, action="deploy", instances=instances, before=before)


def put(tables: RoutingTables, made: Manifest) -> None:
    tables.write(made)
    tables.publish(tables.build(made.deploy, made.slots()))


def test_a_published_table_leads_each_slot_to_its_instance(tables: RoutingTables) -> None:
    put(tables, manifest(17, "web-12", "web-13", "api-3"))

    current = Path(tables.paths.current)

    assert os.readlink(current) == "tables/17"
    assert os.readlink(current / "web/00") == "../../../instances/web-12/socket"
    assert os.readlink(current / "web/01") == "../../../instances/web-13/socket"
    assert os.readlink(current / "api/00") == "../../../instances/api-3/socket"
    found = tables.current()
    assert found is not None
    assert found.deploy == 17


def test_where_a_table_leads_includes_what_only_older_workers_know(tables: RoutingTables) -> None:
    made = manifest(18, "web-13")
    tables.write(made)
    tables.build(18, {"api/00": "api-3"} | made.slots())
    tables.make_ready(made, ["17"])

    assert tables.links(18) == {"web/00": "web-13", "api/00": "api-3"}


def test_a_slot_resolves_to_the_instances_own_socket(tables: RoutingTables) -> None:
    put(tables, manifest(1, "web-1"))
    socket = Path(tables.paths.socket("web-1"))
    socket.parent.mkdir(parents=True)
    socket.touch()

    assert os.path.samefile(f"{tables.paths.current}/web/00", socket)


def test_services_without_a_slot_have_none(tables: RoutingTables) -> None:
    instances = {
        "jobs-1": Instance("jobs-1", "jobs", "none"),
        "api-1": Instance("api-1", "api", "tcp", port=4000),
        "old-1": Instance("old-1", "old", "classic", port=4001),
    }

    assert Manifest(deploy=1, action="deploy", instances=instances).slots() == {}


def test_a_manifest_reads_back_as_it_was_written(tables: RoutingTables) -> None:
    made = Manifest(
        deploy=3,
        action="rollback",
        instances={"web-1": Instance("web-1", "web", "tcp", "abc", 4000)},
        before=2,
        release="abc",
        direction="back",
        exposed=True,
        revived=["web-1"],
        origin=1,
    )

    tables.write(made, sync=True)

    assert tables.read(3) == made


def test_a_damaged_manifest_needs_a_person(tables: RoutingTables) -> None:
    put(tables, manifest(1, "web-1"))
    Path(tables.paths.tables, "1/manifest.json").write_text("{")

    with pytest.raises(NeedsPerson, match=r"tables/1/manifest\.json is damaged"):
        tables.current()


def test_a_replaced_table_is_kept_while_somebody_may_still_walk_it(tables: RoutingTables) -> None:
    for deploy in (1, 2, 3):
        put(tables, manifest(deploy, f"web-{deploy}"))

    tables.prune(keep=set())
    assert tables.numbers() == [1, 2, 3]

    past = time.clock_gettime(time.CLOCK_BOOTTIME) - KEEP_REPLACED - 1
    os.utime(tables.paths.current, (past, past), follow_symlinks=False)
    tables.prune(keep={2})
    assert tables.numbers() == [2, 3]


def test_deploy_after_deploy_what_was_replaced_long_ago_goes(tables: RoutingTables) -> None:
    for deploy in (1, 2, 3, 4):
        put(tables, manifest(deploy, f"web-{deploy}"))
        tables.build(deploy, {"web/00": f"web-{deploy}"}, f"{deploy}+")
        tables.commit(manifest(deploy, f"web-{deploy}"))
    past = time.clock_gettime(time.CLOCK_BOOTTIME) - KEEP_REPLACED - 1
    for deploy in (1, 2, 3):
        os.utime(f"{tables.paths.tables}/{deploy}", (past, past))

    tables.prune(keep=set())

    assert sorted(os.listdir(tables.paths.tables)) == ["3", "3+", "4", "4+"]


@pytest.mark.parametrize("hours", [-5, 5])
def test_nobody_who_sets_the_clock_makes_a_table_old_or_new(
    tables: RoutingTables, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    for deploy in (1, 2, 3):
        put(tables, manifest(deploy, f"web-{deploy}"))
        tables.commit(manifest(deploy, f"web-{deploy}"))
    now = time.time() + 3600 * hours
    monkeypatch.setattr(time, "time", lambda: now)

    tables.prune(keep=set())
    assert tables.numbers() == [1, 2, 3]

    later = time.clock_gettime(time.CLOCK_BOOTTIME) + KEEP_REPLACED + 1
    monkeypatch.setattr(time, "clock_gettime", lambda _: later)
    tables.prune(keep=set())
    assert tables.numbers() == [3]


def test_a_table_of_an_older_zdd_counts_as_new(tables: RoutingTables) -> None:
    for deploy in (1, 2, 3):
        put(tables, manifest(deploy, f"web-{deploy}"))
        tables.commit(manifest(deploy, f"web-{deploy}"))
        os.utime(f"{tables.paths.tables}/{deploy}")
    past = time.time() - 3600
    os.utime(f"{tables.paths.tables}/2", (past, past))

    tables.prune(keep=set())

    assert tables.numbers() == [1, 2, 3]


def test_a_deploy_that_was_not_committed_has_replaced_nothing(tables: RoutingTables) -> None:
    for deploy in (1, 2, 3):
        put(tables, manifest(deploy, f"web-{deploy}"))
    past = time.clock_gettime(time.CLOCK_BOOTTIME) - KEEP_REPLACED - 1
    os.utime(f"{tables.paths.tables}/2", (past, past))

    tables.prune(keep=set())

    assert tables.numbers() == [1, 2, 3]


def test_the_table_in_force_is_never_pruned(tables: RoutingTables) -> None:
    put(tables, manifest(1, "web-1"))
    union = tables.build(2, {"web/00": "web-1"}, "2+")
    tables.publish(union)
    past = time.clock_gettime(time.CLOCK_BOOTTIME) - KEEP_REPLACED - 1
    os.utime(tables.paths.current, (past, past), follow_symlinks=False)

    tables.prune(keep=set())

    assert os.path.exists(f"{tables.paths.current}/web")


def test_without_a_table_nothing_is_in_force(tables: RoutingTables) -> None:
    assert tables.current() is None
    assert tables.published() is None
    put(tables, manifest(1, "web-1"))
    tables.unpublish()
    assert tables.current() is None


def test_a_switch_back_and_a_commit_are_renames_of_what_lies_ready(tables: RoutingTables) -> None:
    put(tables, manifest(1, "web-1"))
    target = manifest(2, "web-2", before=1)
    put(tables, target)
    tables.make_ready(target, ["1"])

    target.exposed = True
    with filesystem(Full("inodes", 0)):
        tables.turn_back(target)
        tables.go_back("1", 2)
        tables.go_back("1", 2)  # it leads there already

        assert tables.published() == "1"
        assert tables.read(2) == turned_back(target)
        tables.commit(target)

    found = tables.read(2)
    assert found is not None
    assert (found.committed, found.exposed) == (True, True)
    assert sorted(os.listdir(f"{tables.paths.tables}/2")) == ["manifest.json", "web"]


def test_a_switch_back_counts_as_the_moment_at_which_a_table_was_replaced(tables: RoutingTables) -> None:
    put(tables, manifest(1, "web-1"))
    put(tables, manifest(2, "web-2", before=1))
    tables.make_ready(manifest(2, "web-2", before=1), ["1"])
    past = time.clock_gettime(time.CLOCK_BOOTTIME) - KEEP_REPLACED - 1
    os.utime(f"{tables.paths.tables}/2/current.1", (past, past), follow_symlinks=False)

    tables.go_back("1", 2)
    tables.prune(keep=set())

    assert tables.numbers() == [1, 2]


def test_a_table_in_force_that_is_gone_is_astray(tables: RoutingTables) -> None:
    put(tables, manifest(1, "web-1"))
    assert tables.astray() is None

    tables.discard(1)

    assert tables.astray() == "1"
