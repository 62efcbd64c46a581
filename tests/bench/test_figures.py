"""The arithmetic of the report: targets, where zdd loses, what calibrates, and what could not be measured."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from bench import __main__ as bench
from bench import (
    beside,
    calibrate,
    growing,
    growth,
    growth_peer,
    kamal,
    losing,
    machine,
    peers,
    report,
    stage,
    switches,
    targets,
    through,
)
from bench.figures import MAIN, Deploys
from tests.load.test_report import report as loaded
from zdd.load.samples import OK

SKIPPED = {"kamal-proxy": "KAMAL_PROXY names no program: it is in no package registry"}


def result(**figures: float) -> dict[str, Any]:
    """What a stage prints, in which these figures are others."""
    one = {"p99": 0.004, "longest": 0.01, "new": 0.55, "old": 0.5, "returned": 0.6, "cpu": 0.5, "memory": 1e7} | figures
    deploy = {"old": 1, "returned": one["returned"], "cpu": one["cpu"], "first_new": one["new"], "last_old": one["old"]}
    load = {
        "requests": 100,
        "failed": {"5xx": int(one["failed"])} if "failed" in one else {},
        "reconnects": one.get("closed", 0),
        "generator": {"late": one.get("late", 0.001), "cores": 0.05},
        "steady": {"p50": 0.001, "p99": 0.002, "p99.9": 0.003, "p100": 0.004},
        "during": {"p50": 0.001, "p99": one["p99"], "p99.9": 0.005, "p100": one["longest"]},
        "deploys": [deploy | {"marks": {"ready": 0.48, "switched": 0.49}}],
    }
    boot = {"seconds": 0.5, "cpu": 0.4, "stop": 0.2}
    return {"boot": boot, "loads": {"quiet": load, MAIN: load}, "memory": one["memory"]}


def deploys(*runs: dict[str, dict[str, Any]], **settings: object) -> dict[str, Any]:
    loads = [{"name": "quiet", "connections": 1, "rate": 50}, {"name": MAIN, "connections": 32, "share": 0.4}]
    known = {"peers": list(runs[0]), "skipped": {}, "capacity": {"Python": 700.0}, "scenarios": loads, "tail": 0.12}
    return {"settings": known | settings, "runs": list(runs)}


def measured(words: str, parts: dict[str, Any]) -> list[str]:
    """The row of the target that these words are in."""
    return next(targets.row(one, one.values(parts)) for one in targets.all_targets(parts) if words in one.words)


def test_a_target_is_met_by_the_worst_run_or_by_the_median_or_not_at_all() -> None:
    def row(*answered: float) -> list[str]:
        return measured("first answer", {"deploys": deploys(*({"zdd_table": result(new=one)} for one in answered))})

    assert row(0.55, 0.56, 0.59)[1:] == ["100 ms", "60.0 ms", "90.0 ms", "yes"]
    assert row(0.55, 0.56, 0.7)[3:] == ["200 ms", "in the median"]
    assert row(0.55, 0.66, 0.7)[2:] == ["160 ms", "200 ms", "no"]
    assert measured("first answer", {})[2:] == ["", "", "not measured"]


def test_the_last_old_answer_may_come_the_pools_sum_and_20_ms_after_the_switch() -> None:
    row = measured("last answer", {"deploys": deploys({"zdd_table": result(old=0.6)})})

    assert row[1:] == ["140 ms", "110 ms", "110 ms", "yes"]


def test_results_that_do_not_say_the_pools_sum_meet_no_target_of_it() -> None:
    found = deploys({"zdd_table": result(), "zdd_stop_first": result()})
    del found["settings"]["tail"]

    assert measured("last answer", {"deploys": found})[4] == "not measured"
    assert measured("stop-first", {"deploys": found})[4] == "not measured"


def test_stop_firsts_gap_is_the_longest_wait_without_the_apps_own_stop_and_start() -> None:
    found = result(longest=0.95)
    found["loads"] |= {MAIN: result(longest=5.0)["loads"][MAIN]}  # busy, the app itself takes longer
    row = measured("stop-first", {"deploys": deploys({"zdd_stop_first": found})})

    assert row[1:] == ["270 ms", "250 ms", "250 ms", "yes"]


def test_p99_is_compared_with_the_best_peer_of_the_same_run_and_the_same_app() -> None:
    first = {"zdd_table": result(p99=0.003), "caddy": result(p99=0.004), "haproxy": result(p99=0.006)}
    second = {"zdd_table": result(p99=0.006), "caddy": result(p99=0.008), "haproxy": result(p99=0.005)}
    for run in (first, second):
        run |= {"pm2": result(p99=0.001), "zdd_tcp": result(p99=0.001)}

    assert targets.p99_to_the_best({"deploys": deploys(first, second)}) == pytest.approx([0.75, 1.2])


def test_targets_of_many_services_are_those_of_the_largest_size() -> None:
    rows = [
        {"services": 10.0, "deploy_one": 0.1, "deploy_all": 1, "status": 0.1},
        {"services": 1000.0, "deploy_one": 0.7, "deploy_all": 39, "status": 0.4},
    ]

    assert measured("1,000 services: deploy of one", {"growth": {"services": rows}})[3:] == ["700 ms", "no"]
    assert measured("1,000 services: deploy of all", {"growth": {"services": rows}})[4] == "yes"


def test_what_zdd_loses_at_is_said_in_a_sentence_of_its_own() -> None:
    run = {"zdd_table": result(cpu=0.6, memory=2e7), "caddy": result(cpu=0.45, closed=32), "restart": result(failed=9)}
    sentence, *lines = losing.of_deploys(Deploys(deploys(run)))
    cpu = next(line for line in lines if "CPU time of" in line)

    assert sentence.startswith(
        "**zdd loses** to at least one of them at the CPU time of a deploy and the memory that stays;"
    )
    assert "to none of them at failed requests, closed connections, the first answer of the new version," in sentence
    assert cpu.endswith("200 ms (zdd). Less: Caddy admin API (50.0 ms) and plain restart (100 ms). More: nobody.")
    assert losing.of_deploys(Deploys(deploys({"zdd_table": result()})))[0].startswith("zdd loses to none of them")


def test_the_data_paths_sentence_names_the_way_and_the_ratio() -> None:
    run = {"zdd, 1": {"rate": 90.0, "p99": 2.0}, "plain nginx, 1": {"rate": 100.0, "p99": 2.0}}

    assert "requests a second with 1 slot (plain nginx: 1.11 of zdd's); to none" in through.lost([run])


def test_growths_sentence_names_the_sizes_that_both_had() -> None:
    ours = [{"services": float(n), "deploy_one": 0.2, "status": 0.1, "keeper_memory": 5e6} for n in (1, 10, 100)]
    theirs = [{"services": float(n), "deploy_one": 0.1, "list": n / 50, "memory": 2e7} for n in (1, 10)]

    assert growing.lost({"services": ours, "peer_services": theirs}) == (
        "**zdd loses** to at least one of them at the deploy of one (1 and 10 services), the list of all (1 services) "
        "and memory (10 services); to none of them at the list of all (10 services) and memory (1 services)."
    )
    assert growing.lost({"services": [], "peer_services": theirs}) == "There is nothing to compare."


def test_what_a_deploy_delays_is_more_than_the_hundredth_that_waits_so_long_anyway() -> None:
    steady, deploying = (0.0, 100.0), (100.0, 500.0)
    before = [(float(due), 0.001 + due / 1e6, OK, 0, 0) for due in range(100)]  # p99 1.098 ms
    slow = [(100.0 + due, 0.009, OK, 0, 0) for due in range(20)]
    usual = [(100.0 + due, 0.001, OK, 0, 0) for due in range(20, 400)]

    assert stage.delayed(loaded(*before, *slow, *usual), [steady], [deploying]) == pytest.approx(20 - 4)
    assert stage.delayed(loaded(*before, *usual), [steady], [deploying]) == pytest.approx(-3.8)
    halves = [(100.0, 300.0), (300.0, 500.0)]
    assert stage.delayed(loaded(*before, *slow, *usual), [steady], halves) == pytest.approx(8)


@pytest.mark.parametrize("head", [beside.MAIN_HEAD, beside.LOAD_HEAD, beside.SUMMARY_HEAD, switches.HEAD])
def test_tables_say_first_what_failed_then_what_was_closed(head: str) -> None:
    _, failed, closed, *_ = head.strip("| ").split(" | ")

    assert failed.startswith("failed")
    assert "closed" in closed


def test_the_first_table_goes_on_with_how_late_and_then_what_it_costs() -> None:
    names = beside.MAIN_HEAD.strip("| ").split(" | ")[3:8]
    row = beside.main_row(Deploys(deploys({"zdd_table": result()})), "zdd_table")

    assert names == ["new", "old", "returned", "CPU", "p99 deploying (before)"]
    assert row[3:8] == ["50.0 ms", "0.00 ms", "100 ms", "100 ms", "4.00 ms (2.00 ms)"]


def test_a_peer_that_could_not_run_is_named_at_every_table() -> None:
    found = deploys({"zdd_table": result()}, skipped={"kamal_proxy": SKIPPED["kamal-proxy"]})
    figures = {"services": 1.0, "deploy_one": 1, "deploy_all": 1, "status": 1, "switch": 1, "switch_all": 1}
    grown = {
        "services": [figures | {"nginx_text": 1, "keeper_memory": 1}],
        "history": [],
        "connections": [],
        "releases": [],
    }
    pages = [
        beside.deploys(found, ""),
        beside.summary(Deploys(found)),
        switches.switches(found, ""),
        through.path({"runs": [{"zdd, 1": {"rate": 1.0, "p99": 1.0}}], "skipped": SKIPPED}, ""),
        growing.growth(grown | {"skipped": SKIPPED}, ""),
    ]

    for lines in pages:
        assert "Skipped: kamal-proxy: KAMAL_PROXY names no program" in "\n".join(lines)


def test_kamal_proxys_program_may_be_named_from_the_folder_that_the_bench_is_run_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kamal-proxy").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAMAL_PROXY", "./kamal-proxy")

    assert not peers.load("kamal_proxy").missing()
    assert kamal.program() == str(tmp_path / "kamal-proxy")


def test_what_the_generator_shows_alone_and_in_the_runs_is_told() -> None:
    one = {"connections": 32, "rate": 300.0, "p50": 1e-4, "p99": 2e-4, "p100": 1e-3, "late": 5e-4, "cores": 0.03}
    runs = [{"zdd_table": result(late=late)} for late in (0.001, 0.002, 0.004)]
    text = "\n".join(calibrate.told(Deploys(deploys(*runs, generator=[one], nothing=result(cpu=0.012)))))

    assert "Alone, 32 connections, 300 requests a second: answered within 0.10 ms (half of them)," in text
    assert "late by 0.50 ms at most and took 3% of a core" in text
    assert "does nothing, quiet: 12 ms of CPU, p99 2.00 ms before and 4.00 ms in its time" in text
    assert "In the runs, 32 connections: the generator was late by 2.00 ms at most in the median run, 4.00 ms" in text


def test_a_part_that_fails_costs_the_others_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def late(*_: object) -> list[dict[str, float]]:
        raise TimeoutError("not within 60 s")

    for module in (growth, growth_peer):
        for kind in ("services", "history", "connections", "releases"):
            monkeypatch.setattr(module, kind, lambda *_: [], raising=False)
    monkeypatch.setattr(growth, "history", late)
    described = {"date": "", "versions": {}, "cpu": "", "cores": 2, "memory_gb": 1, "kernel": "", "load": 0.0}
    monkeypatch.setattr(machine, "describe", lambda: described)

    assert bench.measured("growth", argparse.Namespace(quick=True), tmp_path)
    lines = report.text(tmp_path).splitlines()
    assert "Not measured: TimeoutError not within 60 s." in lines
    assert lines.count("| release | build | deploy |") == 1
    monkeypatch.setitem(bench.MEASURE, "path", late)
    assert not bench.measured("path", argparse.Namespace(), tmp_path)
    assert "not within 60 s" in capsys.readouterr().err
