"""The report's part about the data path."""

from __future__ import annotations

import statistics
from typing import Any

from bench import losing
from bench.words import milliseconds, table
from bench.words import slots as in_words

HEAD = "| way | slots | requests/s | to plain nginx | p99 | to plain nginx |"
PLAIN, ZDD = "plain nginx", "zdd"


def path(found: dict[str, Any], picture: str) -> list[str]:
    """Say what was compared, and how it came out."""
    runs = found["runs"]
    lines = ["## The data path", "", PATH.format(runs=len(runs)), "", picture, "", *table(HEAD, rows(runs))]
    return [*lines, "", lost(runs), *(f"\nSkipped: {name}: {why}." for name, why in found.get("skipped", {}).items())]


PATH = """\
zdd's own nginx text over UNIX sockets, and a plain nginx over TCP; both pool connections to the app, which is itself an
nginx, so that the proxy is what is measured. {runs} runs of wrk, 64 connections, access logs on. *App alone* is what
wrk gets without a proxy: the least that it could show."""


def rows(runs: list[dict[str, Any]]) -> list[list[str]]:
    """A line for each way."""
    found = []
    for way in runs[0]:
        kind, _, slots = way.partition(", ")
        ratios = [f"{one:.2f}" if one else "" for one in (to(runs, way, PLAIN, key) for key in ("rate", "p99"))]
        rate, p99 = (statistics.median(run[way][key] for run in runs) for key in ("rate", "p99"))
        found.append([kind, slots, f"{rate:,.0f}", ratios[0], milliseconds(p99), ratios[1]])
    return found


def to(runs: list[dict[str, Any]], way: str, other: str, key: str) -> float | None:
    """Return the median of the ratios to another way with as many slots, None if there is none."""
    _, _, slots = way.partition(", ")
    other = f"{other}, {slots}"
    return statistics.median(run[way][key] / run[other][key] for run in runs) if other in runs[0] else None


def lost(runs: list[dict[str, Any]]) -> str:
    """Say in one sentence what zdd loses at; a twentieth of the rate or a tenth of the p99 is no difference."""
    at = []
    for way in runs[0]:
        kind, _, slots = way.partition(", ")
        if not slots or kind == ZDD:
            continue
        for key, words in (("rate", "requests a second"), ("p99", "p99")):
            ratio = to(runs, way, ZDD, key) or 1.0
            if ratio > 1 + losing.CLEARLY if key == "rate" else ratio < 1 - 2 * losing.CLEARLY:
                at.append(f"{words} with {in_words(slots)} ({kind}: {ratio:.2f} of zdd's)")
    return losing.sentence(at, ["anything else" if at else "requests a second and p99"])
