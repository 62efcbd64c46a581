"""`--strict-skips`: a test that is skipped fails, unless skips.txt has it, by its name and for that reason."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

import pytest

LIST = Path(__file__).with_name("skips.txt")
MACHINES = {
    "root": os.geteuid() == 0,
    "user": os.geteuid() != 0,
    "systemd": os.path.exists("/run/systemd/system"),
}


class Skip(NamedTuple):
    machine: str
    name: str  # of a test without its parameters, of a file, or of a folder
    reason: str

    def allows(self, name: str, reason: str) -> bool:
        whole = name == self.name or name.startswith((f"{self.name}::", f"{self.name}[", f"{self.name}/"))
        return MACHINES[self.machine] and whole and reason == self.reason


def listed() -> list[Skip]:
    lines = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    return [Skip(*line.split(maxsplit=2)) for line in lines]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--strict-skips", action="store_true", help="fail what is skipped and not in tests/skips.txt")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if item.config.getoption("--strict-skips") and not hasattr(report, "wasxfail"):
        _be_strict(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if collector.config.getoption("--strict-skips"):
        _be_strict(report)
    return report


def _be_strict(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped:
        assert isinstance(report.longrepr, tuple)
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not any(skip.allows(report.nodeid, reason) for skip in listed()):
            report.outcome = "failed"
            report.longrepr = f"skipped, and not in {LIST}: {report.nodeid}: {reason}"
