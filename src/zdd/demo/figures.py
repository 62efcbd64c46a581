"""What the demo measured, and what is to be said of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import click

from zdd.demo.project import Run
from zdd.load import Report

_QUICK = "GET /"  # latency is told of these: POSTs are of another size, slow ones slow on purpose


@dataclass(frozen=True)
class Deploy:
    """One release on its way; the first one comes before the load."""

    release: int
    run: Run
    broken: bool = False

    @property
    def done(self) -> bool:
        """Whether it serves."""
        return self.run.code == 0

    @property
    def refused(self) -> bool:
        """Whether it was undone, and what served before serves."""
        return self.run.code == 1


class Figures:
    """The deploys under load and what their clients saw."""

    def __init__(self, deploys: list[Deploy], report: Report) -> None:
        self.deploys = deploys
        self.report = report
        self.refused = sum(deploy.refused for deploy in deploys)
        self._windows = [(deploy.run.begun, deploy.run.ended) for deploy in deploys]

    def answers(self, release: int) -> int:
        """How many answers came from that release."""
        found = self.report.answered.get(str(release))
        return found.count if found else 0

    def steady(self, p: float) -> float | None:
        """The percentile, in milliseconds, of the requests that were due while nothing was deployed."""
        return _milliseconds(self.report.percentile(p, outside=self._windows, kind=_QUICK))

    def deploying(self, p: float) -> float | None:
        """The same while a deploy ran."""
        return _milliseconds(self.report.percentile(p, windows=self._windows, kind=_QUICK))

    def problems(self) -> list[str]:
        """Return what is not as promised; nothing, if zdd is any good."""
        report, found = self.report, []
        if report.total_failed:
            seen = ", ".join(f"{count} {outcome}" for outcome, count in report.failed.items())
            found.append(f"{report.total_failed} of {report.requests} requests failed: {seen}")
            found += [f"  {one.kind}: {one.outcome}, {one.detail}" for one in report.failures[:5]]
        for deploy in self.deploys:
            answers = self.answers(deploy.release)
            if deploy.broken and not deploy.refused:
                found.append(f"release {deploy.release} is broken and was not refused")
            if deploy.broken and answers:
                found.append(f"release {deploy.release} is broken and answered {answers} requests")
            if not deploy.broken and not deploy.done:
                found.append(f"release {deploy.release} was not deployed: {' '.join(deploy.run.errors)}")
            if not deploy.broken and deploy.done and not answers:
                found.append(f"release {deploy.release} was deployed and answered nobody")
        return found

    def as_json(self) -> dict[str, float | None]:
        """Return the figures for programs."""
        report = self.report
        counts = {"requests": report.requests, "failed": report.total_failed, "reconnects": report.reconnects}
        times = {f"p{p}_ms_steady": self.steady(p) for p in (50, 99)}
        times |= {f"p{p}_ms_deploying": self.deploying(p) for p in (50, 99)}
        return counts | {"deploys": len(self.deploys), "refused": self.refused} | times

    def table(self) -> list[str]:
        """Return the figures for people."""
        done = sum(deploy.done for deploy in self.deploys)
        report = self.report
        return [
            _row("deploys", len(self.deploys), f"{done} done"),
            _row("refused", self.refused, "the broken one; nobody was sent to it", good=self.refused == 1),
            _row("requests", report.requests, "each one counted, none tried a second time"),
            _row(
                "failed", report.total_failed, "refused, reset, cut short or answered 5xx", good=not report.total_failed
            ),
            _row("reconnects", report.reconnects, "connections that the server closed", good=not report.reconnects),
            "",
            _dim(f"  {'answer time, GET /':<20} {'half within':>14} {'99 % within':>14}"),
            f"  {'steady':<20} {_time(self.steady(50)):>14} {_time(self.steady(99)):>14}",
            f"  {'while deploying':<20} {_time(self.deploying(50)):>14} {_time(self.deploying(99)):>14}",
        ]


def _row(name: str, count: int, meaning: str, good: bool | None = None) -> str:
    colour = {None: None, True: "green", False: "red"}[good]
    return f"  {name:<12} {click.style(f'{count:>8,}', fg=colour, bold=True)}   {_dim(meaning)}"


def _dim(text: str) -> str:
    return click.style(text, fg="bright_black")


def _milliseconds(seconds: float) -> float | None:
    return None if math.isnan(seconds) else round(seconds * 1000, 2)


def _time(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.1f} ms"
