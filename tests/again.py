"""
`--again`: what failed is tried again alone, since one of many thousand tests meets a rare moment of a busy machine.

A run passes after all if at most three tests have failed and each then passes three times in a row. They are printed: a
test that depends on luck is to be mended. A lost request is never put down to luck.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

LOST = "requests were lost"  # how the message begins when a load test finds it
_MOST, _TIMES = 3, 3
_FOLDER = "/tmp/zdd-again"  # short, since paths of sockets must be


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--again", action="store_true", help="try what failed again, alone, three times")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--again") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Again(config))


class _Again:
    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.failed: dict[str, str] = {}  # what the error says, by name of the test
        self.passed_then = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            self.failed[report.nodeid] = getattr(crash, "message", str(report.longrepr))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        is_luck = 0 < len(self.failed) <= _MOST and not any(LOST in message for message in self.failed.values())
        if exitstatus == pytest.ExitCode.TESTS_FAILED and is_luck and all(map(self._passes, self.failed)):
            self.passed_then = True
            session.exitstatus = pytest.ExitCode.OK
        shutil.rmtree(_FOLDER, ignore_errors=True)

    def _passes(self, name: str) -> bool:
        strict = ["--strict-skips"] if self.config.getoption("--strict-skips", False) else []
        argv = [sys.executable, "-m", "pytest", "-q", "--basetemp", _FOLDER, *strict, name]
        return all(subprocess.run(argv, cwd=self.config.rootpath, check=False).returncode == 0 for _ in range(_TIMES))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.passed_then:
            terminalreporter.section("failed once, and passed three times alone: depends on luck, to be mended")
            for name, message in self.failed.items():
                terminalreporter.write_line(f"{name}: {message.splitlines()[0]}")
