"""The benchmark's report says what its results say, and each way is driven in a few lines."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench import peers, quoted, report
from bench.figures import Deploys, middle

BENCH = Path(report.__file__).parent
RESULTS = BENCH / "results"


def test_the_committed_report_is_made_of_the_committed_results() -> None:
    assert (RESULTS / "REPORT.md").read_text() == report.text(RESULTS)


@pytest.mark.parametrize("page", quoted.pages(), ids=lambda page: page.name)
def test_pages_quote_the_committed_results(page: Path) -> None:
    assert page.read_text() == quoted.text(page, RESULTS)


@pytest.mark.parametrize("name", report.PARTS)
def test_results_name_the_machine_and_the_versions(name: str) -> None:
    found = json.loads((RESULTS / f"{name}.json").read_text())

    assert found["cpu"]
    assert found["cores"]
    assert found["kernel"]
    assert found["versions"]["nginx"]
    assert (RESULTS / f"{name}.png").exists() or name == "switches"


def test_a_changed_result_changes_the_report(tmp_path: Path) -> None:
    found = json.loads((RESULTS / "deploys.json").read_text())
    for run in found["runs"]:
        run["zdd_table"]["loads"]["32 connections"]["failed"] = {"reset": 12345}
    (tmp_path / "deploys.json").write_text(json.dumps(found))

    assert f"{12345 * len(found['runs'])} reset" in report.text(tmp_path)


def test_differences_are_taken_within_a_run_and_failed_stages_left_out() -> None:
    def result(memory: int) -> dict[str, object]:
        return {"memory": memory, "loads": {}}

    runs = [{"zdd_table": result(one), "caddy": result(two)} for one, two in ((10, 20), (100, 100), (1, 4))]
    runs.append({"zdd_table": {"error": "gone"}, "caddy": result(1)})
    found = Deploys({"settings": {"peers": ["zdd_table", "caddy"], "scenarios": []}, "runs": runs})

    assert found.beyond("caddy", "zdd_table", lambda one: one["memory"]) == 3
    assert found.median("zdd_table", lambda one: one["memory"]) == 10
    assert found.errors() == {"zdd_table": "gone"}
    assert middle([None, None]) is None


@pytest.mark.parametrize("name", sorted({*peers.NAMES, *peers.SWITCHES}))
def test_a_driver_is_short_and_names_the_documentation_it_follows(name: str) -> None:
    driver = peers.load(name)

    assert len((BENCH / f"peers/{name}.py").read_text().splitlines()) < 60
    assert driver.docs
    assert driver.title
    assert re.search(r"\w", driver.__doc__ or "")


def test_a_way_that_cannot_run_here_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAMAL_PROXY", raising=False)

    assert "KAMAL_PROXY" in peers.load("kamal_proxy").missing()
