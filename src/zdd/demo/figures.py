"""What the demo measured, checked and as text."""

from __future__ import annotations

import math

import click

from zdd.demo.project import BROKEN, Run
from zdd.load import Report
from zdd.terminal import faint, table

_QUICK = "GET /"  # only these count for answer times: others are larger, or slow on purpose


class Figures:
    """The deploys under load, by release, and the clients' report."""

    def __init__(self, deploys: dict[int, Run], report: Report) -> None:
        self.deploys = deploys
        self.report = report
        self.outcomes = [run.outcome for run in deploys.values()]
        self._windows = [(run.begun, run.ended) for run in deploys.values()]

    def answers(self, release: int) -> int:
        """Return the number of answers of that release."""
        answered = self.report.answered.get(str(release))
        return answered.count if answered else 0

    def steady(self, p: float) -> float | None:
        """Return the percentile, in milliseconds, of requests due while nothing was deployed."""
        return _milliseconds(self.report.percentile(p, outside=self._windows, kind=_QUICK))

    def deploying(self, p: float) -> float | None:
        """Return the percentile, in milliseconds, of requests due during a deploy."""
        return _milliseconds(self.report.percentile(p, windows=self._windows, kind=_QUICK))

    def problems(self) -> list[str]:
        """Return the broken promises."""
        report, problems = self.report, []
        if report.total_failed:
            problems.append(f"{report.total_failed} of {report.requests} requests failed:")
            problems += [f"  {failure.kind}: {failure.outcome}, {failure.detail}" for failure in report.failures[:5]]
        for release, run in self.deploys.items():
            wanted, answers = "undone" if release == BROKEN else "done", self.answers(release)
            if run.outcome != wanted:
                problems.append(f"release {release}: {run.outcome} instead of {wanted} {' '.join(run.errors)}".rstrip())
            elif bool(answers) != (wanted == "done"):
                problems.append(f"release {release}: {wanted}, yet it gave {answers} answers")
        return problems

    def as_json(self) -> dict[str, float | None]:
        """Return the figures for programs."""
        report = self.report
        return {
            "requests": report.requests,
            "failed": report.total_failed,
            "reconnects": report.reconnects,
            "deploys": len(self.deploys),
            "refused": self.outcomes.count("undone"),
            "p50_ms_steady": self.steady(50),
            "p50_ms_deploying": self.deploying(50),
            "p99_ms_steady": self.steady(99),
            "p99_ms_deploying": self.deploying(99),
        }

    def table(self) -> list[str]:
        """Return the figures for people."""
        report, refused = self.report, self.outcomes.count("undone")
        answered = "   ".join(f"{release}: {self.answers(release):,}" for release in (1, *self.deploys))
        counts = [
            _row("deploys", len(self.deploys), f"{self.outcomes.count('done')} done, {refused} refused"),
            _row("refused", refused, "the broken release: no client ever met it", refused == 1),
            _row("requests", report.requests, "each of them counted, none tried twice"),
            _row("failed", report.total_failed, "refused, reset, cut short, late or a 5xx", not report.total_failed),
            _row("reconnects", report.reconnects, "connections closed by the server", not report.reconnects),
        ]
        times = [
            [faint("answer time of GET /"), faint("half within"), faint("99 % within")],
            ["steady", _time(self.steady(50)), _time(self.steady(99))],
            ["while deploying", _time(self.deploying(50)), _time(self.deploying(99))],
        ]
        answers = f"{faint('answers by release')}   {answered}"
        lines = [*table(counts, right=[1]), "", answers, "", *table(times, right=[1, 2])]
        return [f"  {line}".rstrip() for line in lines]


def _row(name: str, count: int, meaning: str, good: bool | None = None) -> list[str]:
    colour = {None: None, True: "green", False: "red"}[good]
    return [name, click.style(f"{count:,}", fg=colour, bold=True), faint(meaning)]


def _milliseconds(seconds: float) -> float | None:
    return None if math.isnan(seconds) else round(seconds * 1000, 2)


def _time(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.1f} ms"
