"""The bench drives the zddeploy of this tree: what it reads from the command is there."""

from __future__ import annotations

import pytest

from bench import deploys, growth, path


def test_growth_is_measured_with_the_real_command() -> None:
    said: list[str] = []
    (two,) = growth.services((2,), said.append)
    (first,) = growth.history(1, said.append)
    (small,) = growth.releases((1,), said.append)

    times = ("first_deploy", "status", "deploy_one", "deploy_all")
    assert all(two[key] > 0 for key in (*times, "keeper_memory", "nginx_text"))
    assert 0 <= two["switch"] < two["deploy_one"]
    assert 0 <= two["switch_all"] < two["deploy_all"]
    assert all(first[key] > 0 for key in ("deploy", "status", "history", "state"))
    assert 0 < small["build"] < small["deploy"]


def test_a_stage_marks_when_the_new_version_is_ready_and_when_it_is_switched_to() -> None:
    found = deploys.run_stage({"peer": "zdd_table", "scenarios": [["quiet", 1, 20]]})

    assert "error" not in found
    (one,) = found["loads"]["quiet"]["deploys"]
    assert 0 < one["marks"]["ready"] <= one["marks"]["switched"] <= one["returned"]
    assert found["loads"]["quiet"]["failed"] == {}
    assert found["loads"]["quiet"]["during"]["p100"] > 0
    assert min(found["boot"].values()) > 0


def test_the_pools_sum_is_that_of_zdds_own_text() -> None:
    assert path.tail() == pytest.approx(0.12)
