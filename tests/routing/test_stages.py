"""What follows from how far a table has come: one table, read by all who decide anything about it."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from zdd.routing.manifest import Instance, Manifest, Stage, committed, turned_back

WEB = {"web-1": Instance("web-1", "web", "fd")}


def test_a_table_whose_command_is_dead_goes_by_its_stage() -> None:
    tables = {stage: Manifest(1, "deploy", WEB, stage=stage) for stage in get_args(Stage)}

    assert [stage for stage, table in tables.items() if table.is_unfinished] == ["trying"]
    assert [stage for stage, table in tables.items() if table.is_version] == ["committed"]


@pytest.mark.parametrize(("known", "stage"), [(True, "committed"), (False, "trying")])
def test_a_manifest_of_zdd_0_1_0_has_the_stage_that_follows_from_what_it_says(known: bool, stage: Stage) -> None:
    text = msgspec.json.encode({"deploy": 1, "action": "deploy", "instances": {}, "committed": known})

    assert msgspec.json.decode(text, type=Manifest).stage == stage


def test_zdd_0_1_0_reads_what_it_knows_in_every_stage() -> None:
    target = Manifest(1, "deploy", WEB)

    written = {
        stage: msgspec.to_builtins(table) for stage, table in (("trying", target), ("committed", committed(target)))
    }

    assert {stage: (table["stage"], table.get("committed", False)) for stage, table in written.items()} == {
        "trying": ("trying", False),
        "committed": ("committed", True),
    }
    assert turned_back(target).stage == "trying"
