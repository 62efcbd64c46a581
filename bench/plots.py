"""The pictures of the report, for the width of a README; what they show is in the results and in REPORT.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot

from bench import figures, peers
from bench.figures import MAIN, Deploys, Figure

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
    """Four things that a deploy costs, for each way, on one line."""
    found = Deploys(results)
    panels: list[tuple[str, Figure, float, str]] = [
        ("client connections\nclosed, of 32", figures.per_deploy(MAIN, "reconnects"), 1, "{:.0f}"),
        ("p99 while deploying,\nms", figures.under(MAIN, "during", "p99"), 1000, "{:.0f}"),
        ("command returns,\ns beyond the app's start", figures.less_boot("quiet", "returned", "seconds"), 1, "{:.2f}"),
        ("memory beside the app,\nMB", figures.memory, 1e-6, "{:.0f}"),
    ]
    names = found.names
    figure, axes = pyplot.subplots(1, len(panels), figsize=(9.6, 1.0 + 0.3 * len(names)), sharey=True)
    for axis, (title, find, factor, words) in zip(axes, panels, strict=True):
        values = [(found.median(name, find) or 0) * factor for name in names]
        bars(axis, names, values, [words.format(value) for value in values])
        axis.set_title(title)
    axes[0].set_yticks(rows(names), [label(found, name) for name in names])
    load = f"medians of {len(found.runs)} runs at 40 % of what the app can do"
    return finished(figure, f"{load}; {origin(results)}")


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


def label(found: Deploys, name: str) -> str:
    """The way's name, and what failed."""
    failed, _ = found.failed(name, MAIN)
    title = peers.load(name).title
    return f"{title} ({failed.total():,} failed)" if failed else title


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
    """Requests a second by number of slots."""
    ways = list(results["runs"][0])
    values = [figures.middle([run[way]["rate"] for run in results["runs"]]) or 0 for way in ways]
    titles = [way.replace(", 1", ", 1 slot").replace(", 3", ", 3 slots").replace(", 20", ", 20 slots") for way in ways]
    figure, axis = pyplot.subplots(figsize=(7.2, 0.8 + 0.3 * len(ways)))
    bars(axis, ["zdd" if way.startswith("zdd") else way for way in ways], values, [f"{one:,.0f}" for one in values])
    axis.set_yticks(range(len(ways)), titles)
    axis.set_title("requests a second")
    return finished(figure, f"medians of {len(results['runs'])} runs; {origin(results)}")


def growth(results: dict[str, Any]) -> Any:
    """Lines that are flat are good ones."""
    panels = (
        ("services", {"deploy_all": "deploy all", "deploy_one": "deploy one", "status": "status", "switch": "switch"}),
        ("history", {"deploy": "deploy", "status": "status"}),
        ("connections", {"deploy": "deploy", "end": "end, once all left"}),
    )
    titles = {"services": "services", "history": "deploys made before", "connections": "connections while draining"}
    figure, axes = pyplot.subplots(1, 3, figsize=(9.6, 3.2), sharey=True, width_ratios=(1.3, 1, 1))
    for axis, (part, lines) in zip(axes, panels, strict=True):
        points = results[part]
        x = [row[{"history": "deploys"}.get(part, part)] for row in points]
        place = 0.0
        for key, word in sorted(lines.items(), key=lambda line: points[-1][line[0]]):
            y = [row[key] for row in points]
            axis.plot(x, y, color=OURS, marker="o", markersize=3.5, linewidth=1.4)
            place = max(place * 1.7, y[-1])  # so far apart that they can be read
            axis.annotate(word, (x[-1], place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9)
        axis.set(xscale="log", yscale="log", title=titles[part], xlim=(x[0] * 0.7, x[-1] * (x[-1] / x[0]) ** 0.45))
        axis.set_xticks(x, [f"{one:,.0f}" if one != 300 else "" for one in x], minor=False)
        axis.minorticks_off()
    axes[0].set_yticks([0.001, 0.01, 0.1, 1, 10, 100], ["1 ms", "10 ms", "0.1 s", "1 s", "10 s", "100 s"])
    return finished(figure, origin(results))
