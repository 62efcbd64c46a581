"""What a deploy is meant to cost at most, and what was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bench import figures, peers
from bench.figures import MAIN, Deploys, Figure
from bench.words import milliseconds, table

Parts = dict[str, dict[str, Any]]  # the results by part
Values = Sequence[float | None]  # one a run, or a row of the part


class Target(NamedTuple):
    """A figure that is to be at most so much, NaN where the results do not say how much."""

    words: str
    most: float
    values: Callable[[Parts], Values]
    say: Callable[[float | None], str] = milliseconds


def targets(parts: Parts) -> list[str]:
    """The table of all targets; what was not measured has no figure in it."""
    head = "| target | at most | median | worst | met |"
    rows = [row(target, target.values(parts)) for target in all_targets(parts)]
    return ["## What a deploy is meant to cost", "", WORDS, "", *table(head, rows), ""]


WORDS = """\
*Worst*: of the runs, or of the sizes that were measured. *Met*: "yes" if the worst is, too. The app's own start and
stop are those of the same app by hand on the idle machine, in the same run."""


def row(target: Target, values: Values) -> list[str]:
    """A target's line."""
    known = [value for value in values if value is not None]
    most = target.say(None if math.isnan(target.most) else target.most)
    if not known or not most:
        return [target.words, most, "", "", "not measured"]
    median, worst = figures.middle(known), max(known)
    assert median is not None
    met = "yes" if worst <= target.most else "in the median" if median <= target.most else "no"
    return [target.words, most, target.say(median), target.say(worst), met]


def all_targets(parts: Parts) -> list[Target]:
    """All of them; some depend on the pool's bounds in the text that was measured, and on the largest size."""
    tail = parts.get("deploys", {}).get("settings", {}).get("tail", math.nan)
    size = max((int(one["services"]) for one in parts.get("growth", {}).get("services", ())), default=0)
    many = f"{size:,} services" if size else "many services"
    return [
        Target("first answer of the new version, over the app's own start", 0.1, quiet("first_new", "seconds")),
        Target("last answer of the old version, after the switch", tail + 0.02, of_zdd(figures.after_the_switch(MAIN))),
        # nothing is kept warm here, so the command waits for the tail and for the end of the old version
        Target("return of the command, over the app's own start and stop", tail + 0.15, of_zdd(return_after_both)),
        Target("CPU time of a deploy, over the app's own start", 0.15, quiet("cpu", "cpu")),
        Target("p99 while deploying, as a multiple of the best peer's in the same run", 1.0, p99_to_the_best, times),
        Target("stop-first: longest wait, over the app's own stop and start", tail + 0.15, stop_first_gap),
        Target("`status`, one service", 0.08, of_growth("history", "status")),
        Target("`history`, one service", 0.06, of_growth("history", "history")),
        Target(f"{many}: deploy of one", 0.6, of_growth("services", "deploy_one", size)),
        Target(f"{many}: deploy of all", 40.0, of_growth("services", "deploy_all", size)),
        Target(f"{many}: `status`", 0.5, of_growth("services", "status", size)),
    ]


def return_after_both(result: dict[str, Any]) -> float | None:
    """Return when the command of a quiet deploy ended, without what the app itself takes to start and to stop."""
    returned, stop = figures.less_boot("quiet", "returned", "seconds")(result), result["boot"].get("stop")
    return None if returned is None or stop is None else returned - float(stop)


def quiet(key: str, boot: str) -> Callable[[Parts], Values]:
    """Return what finds a figure of zdd's quiet deploy without the app's own start."""
    return of_zdd(figures.less_boot("quiet", key, boot))


def of_zdd(figure: Figure, name: str = "zdd_table") -> Callable[[Parts], Values]:
    """Return what finds a figure of zdd in each run."""
    return lambda parts: [figure(result) for result in deploys(parts).of(name)] if "deploys" in parts else []


def deploys(parts: Parts) -> Deploys:
    """Return the results of the deploys."""
    return Deploys(parts["deploys"])


def p99_to_the_best(parts: Parts) -> Values:
    """Return zdd's p99 while deploying as a multiple of the lowest of its peers with the same app, for each run."""
    if "deploys" not in parts:
        return []
    find, found = figures.under(MAIN, "during", "p99"), deploys(parts)
    rivals = [one for one in found.names if not one.startswith("zdd") and peers.load(one).language == "Python"]
    ratios = []
    for run in found.runs:
        lowest = min((value for one in rivals if (value := measured(run, one, find))), default=None)
        ours = measured(run, "zdd_table", find)
        ratios.append(ours / lowest if ours and lowest else None)
    return ratios


def measured(run: dict[str, Any], name: str, figure: Figure) -> float | None:
    """Return a peer's figure in that run, None if it has failed as a whole."""
    return None if "error" in run[name] else figure(run[name])


def stop_first_gap(parts: Parts) -> Values:
    """
    Return how much longer than the app's own stop and start somebody waited for a stop-first deploy, in each run.

    One client asks meanwhile, 50 times a second: under more load the app's own stop and start take longer, too.
    """

    def gap(result: dict[str, Any]) -> float | None:
        waited, stop = figures.under("quiet", "during", "p100")(result), result["boot"].get("stop")
        return None if waited is None or stop is None else waited - stop - float(result["boot"]["seconds"])

    return of_zdd(gap, "zdd_stop_first")(parts)


def of_growth(kind: str, key: str, size: int | None = None) -> Callable[[Parts], Values]:
    """Return what finds a figure of all rows of a table of growth, or of those with so many services."""

    def find(parts: Parts) -> Values:
        rows = parts.get("growth", {}).get(kind, ())
        return [one.get(key) for one in rows if size is None or one["services"] == size]

    return find


def times(value: float | None) -> str:
    """A multiple."""
    return "" if value is None else f"{value:.2f}"
