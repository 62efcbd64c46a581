"""Figures out of the results: medians over the runs, and medians of the ratios within each run."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from bench import peers

Result = dict[str, Any]  # what a stage printed
Figure = Callable[[Result], float | None]
MAIN = "32 connections"


def under(scenario: str, *keys: str) -> Figure:
    """Return what finds a figure of that load."""

    def find(result: Result) -> float | None:
        found = result["loads"][scenario]
        for key in keys:
            found = found.get(key)
        return None if found is None else float(found)

    return find


def per_deploy(scenario: str, key: str) -> Figure:
    """Return what finds a figure of that load, for each deploy."""
    return lambda result: result["loads"][scenario][key] / len(result["loads"][scenario]["deploys"])


def of_deploy(scenario: str, find: Callable[[dict[str, Any]], float | None]) -> Figure:
    """Return what finds the median over that load's deploys."""

    def median(result: Result) -> float | None:
        found = [value for one in result["loads"][scenario]["deploys"] if (value := find(one)) is not None]
        return statistics.median(found) if found else None

    return median


def switched(scenario: str) -> Figure:
    """Return what finds the time from an instance being ready until clients are led to it, unless they were before."""

    def find(one: dict[str, Any]) -> float | None:
        marks = one["marks"]
        took = marks["switched"] - marks["ready"] if marks.keys() >= {"ready", "switched"} else -1
        return took if took >= 0 else None

    return of_deploy(scenario, find)


def less_boot(scenario: str, key: str, boot: str) -> Figure:
    """Return what finds a deploy's figure without what the app's own start takes."""
    find = of_deploy(scenario, lambda one: one[key])

    def less(result: Result) -> float | None:
        found = find(result)
        return None if found is None else found - result["boot"][boot]

    return less


def after_the_switch(scenario: str) -> Figure:
    """Return what finds the seconds from the switch to the old version's last answer, where a switch can be seen."""

    def find(one: dict[str, Any]) -> float | None:
        seen = one["last_old"] is not None and "switched" in one["marks"]
        return max(0.0, float(one["last_old"] - one["marks"]["switched"])) if seen else None

    return of_deploy(scenario, find)


def both_answer(scenario: str) -> Figure:
    """Return what finds for how many seconds answers of both versions came, 0 if the old one's had ended before."""

    def find(one: dict[str, Any]) -> float | None:
        seen = one["last_old"] is not None and one["first_new"] is not None
        return max(0.0, float(one["last_old"] - one["first_new"])) if seen else None

    return of_deploy(scenario, find)


def failed_share(result: Result) -> float:
    """The share of requests that failed, of all loads."""
    loads = result["loads"].values()
    failed: int = sum(sum(load["failed"].values()) for load in loads)
    requests: int = sum(load["requests"] for load in loads)
    return failed / max(1, requests)


def memory(result: Result) -> float:
    """Bytes of all that is not the app."""
    return float(result["memory"])


class Deploys:
    """The results of the peers."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.settings: dict[str, Any] = found["settings"]
        self.runs: list[dict[str, Result]] = found["runs"]
        self.names = [name for name in self.settings["peers"] if self.of(name)]
        self.scenarios = [one["name"] for one in self.settings["scenarios"]]

    def of(self, name: str) -> list[Result]:
        """What the peer did, in the runs in which it did not fail as a whole."""
        return [run[name] for run in self.runs if "error" not in run[name]]

    def errors(self) -> dict[str, str]:
        """Why peers failed as a whole, by name."""
        return {name: one["error"] for run in self.runs for name, one in run.items() if "error" in one}

    def median(self, name: str, figure: Figure) -> float | None:
        """The median over the runs, None if it cannot be seen of this peer."""
        return middle([figure(result) for result in self.of(name)])

    def ratio(self, name: str, figure: Figure, below: Figure) -> float | None:
        """The median of the ratios to another figure of its own in the same run."""
        pairs = [(figure(result), below(result)) for result in self.of(name)]
        return middle([top / bottom for top, bottom in pairs if top is not None and bottom])

    def beyond(self, name: str, other: str, figure: Figure) -> float | None:
        """The median over the runs of how much more its figure is than that of another peer in the same run."""
        pairs = [
            (figure(run[name]), figure(run[other]))
            for run in self.runs
            if "error" not in run[name] and "error" not in run[other]
        ]
        return middle([mine - theirs for mine, theirs in pairs if mine is not None and theirs is not None])

    def failed(self, name: str, scenario: str) -> tuple[Counter[str], int]:
        """All failed requests by class, and how many requests there were."""
        loads = [result["loads"][scenario] for result in self.of(name)]
        return sum((Counter(load["failed"]) for load in loads), Counter()), sum(load["requests"] for load in loads)

    def rate(self, scenario: str) -> float:
        """Requests a second of a load that has the same rate for all."""
        return float(next(one["rate"] for one in self.settings["scenarios"] if one["name"] == scenario))

    def baseline(self, name: str) -> str:
        """Zdd with the same app."""
        return peers.BASELINES[peers.load(name).language]


def middle(values: Sequence[float | None]) -> float | None:
    """The median of those there are."""
    found = [value for value in values if value is not None]
    return statistics.median(found) if found else None
