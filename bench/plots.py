"""The pictures of the report, for the width of a README; what they show is in the results and in REPORT.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot

from bench import figures, peers
from bench.figures import MAIN, Deploys, Figure
from bench.words import slots as in_words

OURS, THEIRS, INK = "#0b7a75", "#b8bfc6", "#24292f"
STYLE: Any = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "svg.fonttype": "none",
}


def write(folder: Path) -> None:
    """Draw what there are results for."""
    with mpl.rc_context(STYLE):
        for name, draw in (("deploys", deploys), ("path", path), ("growth", growth)):
            file = folder / f"{name}.json"
            if file.exists():
                figure = draw(json.loads(file.read_text()))
                figure.savefig(folder / f"{name}.png", dpi=160, facecolor="white", metadata={"Software": None})
                pyplot.close(figure)


def deploys(results: dict[str, Any]) -> Any:
    """What a deploy breaks and costs, for each way, on one line."""
    found = Deploys(results)
    names = found.names
    figure, axes = pyplot.subplots(1, len(PANELS), figsize=(11.4, 1.0 + 0.3 * len(names)), sharey=True)
    for axis, (title, find, factor) in zip(axes, PANELS, strict=True):
        values = [find(found, name) for name in names]
        bars(axis, names, [(value or 0.0) * factor for value in values], [words(value, factor) for value in values])
        axis.set_title(title)
    axes[0].set_yticks(rows(names), [peers.load(name).title for name in names])
    return finished(figure, f"{len(found.runs)} runs; late: beyond the app's own start; {origin(results)}")


def words(value: float | None, factor: float) -> str:
    """A figure of a few digits, nothing for what could not be seen."""
    return "" if value is None else f"{value * factor:,.{1 if 0.05 < value * factor < 10 and factor > 1 else 0}f}"


def failed(found: Deploys, name: str) -> float:
    """All requests that failed."""
    return found.failed(name, MAIN)[0].total()


def median(figure: Figure) -> Callable[[Deploys, str], float | None]:
    """Return what finds the median over the runs."""
    return lambda found, name: found.median(name, figure)


PANELS: tuple[tuple[str, Callable[[Deploys, str], float | None], float], ...] = (
    ("requests failed,\nof all runs", failed, 1),
    ("connections\nclosed, of 32", median(figures.per_deploy(MAIN, "reconnects")), 1),
    ("new version\nanswers, ms late", median(figures.less_boot("quiet", "first_new", "seconds")), 1000),
    ("command returns,\nms late", median(figures.less_boot("quiet", "returned", "seconds")), 1000),
    ("CPU time beyond\nthe start's, ms", median(figures.less_boot("quiet", "cpu", "cpu")), 1000),
    ("p99 while\ndeploying, ms", median(figures.under(MAIN, "during", "p99")), 1000),
)


def rows(names: Sequence[str]) -> list[float]:
    """Where on the axis each is: those in Node have another app, so they stand apart."""
    return [
        row + (0.6 if name in peers.NAMES and peers.load(name).language == "Node" else 0)
        for row, name in enumerate(names)
    ]


def finished(figure: Any, words: str) -> Any:
    """The figure with these words at its foot."""
    figure.tight_layout(w_pad=1.5, rect=(0, 0.06, 1, 1))
    figure.text(0.995, 0.02, words, ha="right", fontsize=8, color="#6a737d")
    return figure


def origin(results: dict[str, Any]) -> str:
    """Where the figures come from, in a few words."""
    return f"{results['cpu']}, {results['cores']} cores, {results['date']}"


def bars(axis: Any, names: Sequence[str], values: Sequence[float], words: Sequence[str]) -> None:
    """Bars from the left with their values written beside them; a bar below zero is none."""
    most = max(*values, 1e-9)
    axis.barh(rows(names), [max(0.0, value) for value in values], 0.62, color=[colour(name) for name in names])
    for row, name, value, word in zip(rows(names), names, values, words, strict=True):
        weight = "bold" if name.startswith("zdd") and name != "zdd_classic" else "normal"
        axis.text(max(0.0, value) + most * 0.03, row, word, va="center", fontsize=9, fontweight=weight)
    axis.set_xlim(0, most * 1.28)
    axis.set_ylim(rows(names)[-1] + 0.6, -0.6)
    axis.set_xticks([])
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(axis="y", length=0)


def colour(name: str) -> str:
    """Ours stands out."""
    return OURS if name.startswith("zdd") and name != "zdd_classic" else THEIRS


def path(results: dict[str, Any]) -> Any:
    """Requests a second, and p99, by way and number of slots."""
    runs = results["runs"]
    ways = list(runs[0])
    figure, axes = pyplot.subplots(1, 2, figsize=(9.6, 0.9 + 0.3 * len(ways)), sharey=True)
    panels = (("requests a second", "rate", 1, "{:,.0f}"), ("p99, ms", "p99", 1000, "{:.1f}"))
    for axis, (title, key, factor, words) in zip(axes, panels, strict=True):
        values = [(figures.middle([run[way][key] for run in runs]) or 0) * factor for way in ways]
        names = ["zdd" if way.startswith("zdd") else way for way in ways]
        bars(axis, names, values, [words.format(value) for value in values])
        axis.set_title(title)
    axes[0].set_yticks(range(len(ways)), [slots(way) for way in ways])
    return finished(figure, f"medians of {len(runs)} runs; {origin(results)}")


def slots(way: str) -> str:
    """The way's name with the number of slots in words."""
    name, _, number = way.partition(", ")
    return f"{name}, {in_words(number)}" if number else name


def growth(results: dict[str, Any]) -> Any:
    """Lines that are flat are good ones."""
    figure, axes = pyplot.subplots(1, 3, figsize=(10.4, 3.4), sharey=True, width_ratios=(1.4, 1, 1.1))
    for axis, (title, lines) in zip(axes, GROWTH.items(), strict=True):
        axis.set_title(title)
        grow(axis, [line for line in lines if results.get(line[0])], results)
    axes[0].set_yticks([0.001, 0.01, 0.1, 1, 10, 100], ["1 ms", "10 ms", "0.1 s", "1 s", "10 s", "100 s"])
    return finished(figure, origin(results))


# Part of the results, its sizes, figure and words.
GROWTH = {
    "services": [
        ("services", "services", "deploy_all", "deploy all"),
        ("services", "services", "deploy_one", "deploy one"),
        ("services", "services", "status", "status"),
        ("services", "services", "switch", "switch"),
        ("peer_services", "services", "deploy_one", "kamal-proxy, one"),
    ],
    "deploys made before": [("history", "deploys", key, key) for key in ("deploy", "status", "history")],
    "connections while draining": [
        ("connections", "connections", "deploy", "deploy"),
        ("connections", "connections", "end", "end, once all left"),
    ],
}


def grow(axis: Any, lines: Sequence[tuple[str, str, str, str]], results: dict[str, Any]) -> None:
    """Draw lines with their words at the end, so far apart that they can be read."""
    place, x = 0.0, [1.0]
    for part, sizes, key, text in sorted(lines, key=lambda line: results[line[0]][-1][line[2]]):
        x, y = ([one[name] for one in results[part]] for name in (sizes, key))
        ink = THEIRS if part.startswith("peer") else OURS
        axis.plot(x, y, color=ink, marker="o", markersize=3.5, linewidth=1.4)
        place = max(place * 2.4, y[-1])
        axis.annotate(text, (x[-1], place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9)
    axis.set(xscale="log", yscale="log", xlim=(x[0] * 0.7, x[-1] * max(10, x[-1] / x[0]) ** 0.6))
    axis.set_xticks(x, [f"{one:,.0f}" if one != 300 else "" for one in x], minor=False)
    axis.minorticks_off()
