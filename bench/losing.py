"""Where zdd loses, and where it wins: sentences that are computed from the figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bench import figures, peers
from bench.figures import MAIN, Deploys, Figure
from bench.words import about, count, megabytes, milliseconds

CLEARLY = 0.05  # of zdd's own figure: what differs by less is the same


class Compared(NamedTuple):
    """What a way may be better or worse at; less is better."""

    words: str
    figure: Figure
    least: float  # a smaller difference means nothing
    say: Callable[[float | None], str]


def percent(share: float | None) -> str:
    """A share in percent, two digits that count."""
    return "" if share is None else f"{share * 100:.2g} %"


COMPARED = (
    Compared("failed requests", figures.failed_share, 1e-9, percent),
    Compared("closed connections", figures.per_deploy(MAIN, "reconnects"), 0.5, count),
    Compared(
        "the first answer of the new version", figures.less_boot("quiet", "first_new", "seconds"), 0.02, milliseconds
    ),
    Compared("how long both versions answer", figures.both_answer(MAIN), 0.02, milliseconds),
    Compared("the return of the command", figures.less_boot("quiet", "returned", "seconds"), 0.02, milliseconds),
    Compared("the CPU time of a deploy", figures.less_boot("quiet", "cpu", "cpu"), 0.03, milliseconds),
    Compared("the p99 while deploying", figures.under(MAIN, "during", "p99"), 0.0005, milliseconds),
    Compared("the requests that a deploy delays", figures.under(MAIN, "delayed"), 2.0, about),
    Compared("the longest wait", figures.under(MAIN, "during", "p100"), 0.0005, milliseconds),
    Compared("the memory that stays", figures.memory, 500_000, megabytes),
)


def of_deploys(found: Deploys) -> list[str]:
    """One sentence of what zdd loses and does not lose at, then a line for each figure: who has less, who has more."""
    lines: list[str] = []
    lost: list[str] = []
    held: list[str] = []
    baselines = [name for name in peers.BASELINES.values() if name in found.names]
    for compared in COMPARED:
        if all(found.median(name, compared.figure) is None for name in baselines):
            continue
        less, more = sides(found, compared)
        (lost if less else held).append(compared.words)
        ours = " and ".join(
            f"{compared.say(found.median(name, compared.figure))} ({peers.load(name).title})" for name in baselines
        )
        words = compared.words[0].upper() + compared.words[1:]
        lines.append(f"- **{words}**: {ours}. Less: {listed(less)}. More: {listed(more)}.")
    return [sentence(lost, held), "", "Times and CPU are without what the app's own start takes.", "", *lines]


def sides(found: Deploys, compared: Compared) -> tuple[list[str], list[str]]:
    """Return the peers that have clearly less than zdd with the same app, and those that have clearly more."""
    less: list[str] = []
    more: list[str] = []
    for name in found.names:
        ours = found.baseline(name)
        if name.startswith("zdd") or ours not in found.names:
            continue
        beyond, own = found.beyond(name, ours, compared.figure), found.median(ours, compared.figure)
        if beyond is None or own is None or abs(beyond) < max(compared.least, CLEARLY * abs(own)):
            continue
        told = f"{peers.load(name).title} ({compared.say(found.median(name, compared.figure))})"
        (less if beyond < 0 else more).append(told)
    return less, more


def sentence(lost: Sequence[str], held: Sequence[str]) -> str:
    """Say in one sentence what zdd loses at, and what it does not lose at."""
    if not lost:
        return f"zdd loses to none of them at {listed(held)}." if held else "There is nothing to compare."
    held_at = f"; to none of them at {listed(held)}" if held else ""
    return f"**zdd loses** to at least one of them at {listed(lost)}{held_at}."


def listed(names: Sequence[str]) -> str:
    """The names with commas and an "and", or "nobody"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:]))) or "nobody"
