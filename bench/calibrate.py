"""What measures is measured first: the load generator before a server that answers at once, and a deploy of nothing."""

from __future__ import annotations

import statistics

from bench.figures import Deploys
from bench.path import backend
from bench.stage import KINDS, Scenario
from bench.words import milliseconds
from zdd.load import Load, Spec

SECONDS = 3.0


def generator(loads: list[Scenario]) -> list[dict[str, float]]:
    """
    Return what the generator alone shows under each load, before an nginx that answers by itself.

    Seconds within which the answers came, and by how many the generator was late at most; share of a core that it took.
    """
    found = []
    with backend(1) as (_, ports):
        for load in loads:
            spec = Spec(f"127.0.0.1:{ports[0]}", KINDS, load.rate, load.connections, seconds=SECONDS)
            with Load(spec) as running:
                report = running.wait()
            percentiles = {f"p{p:g}": report.percentile(p) for p in (50, 99, 100)}
            share = report.cpu / (report.ended - report.started)
            found.append({"connections": load.connections, "rate": load.rate, **percentiles})
            found[-1] |= {"late": report.late, "cores": share, "failed": report.total_failed}
    return found


def told(found: Deploys) -> list[str]:
    """Say what it came to, and how late the generator was in the runs themselves."""
    lines = [alone(one) for one in found.settings.get("generator", ())]
    if nothing := found.settings.get("nothing", {}).get("loads"):
        quiet = nothing["quiet"]
        cpu, before, during = quiet["deploys"][0]["cpu"], quiet["steady"]["p99"], quiet["during"]["p99"]
        lines.append(
            f"- A deploy that does nothing, quiet: {cpu * 1000:.0f} ms of CPU, "
            f"p99 {milliseconds(before)} before and {milliseconds(during)} in its time."
        )
    lines += [in_the_runs(found, scenario) for scenario in found.scenarios]
    return ["", "What measures, alone before a server that answers at once, and in the runs:", "", *lines]


def alone(one: dict[str, float]) -> str:
    """What the generator shows before a server that answers at once."""
    times = ", ".join(f"{milliseconds(one[p])} ({name})" for p, name in NAMES.items())
    return (
        f"- Alone, {one['connections']:,} connections, {one['rate']:.0f} requests a second: answered within {times}; "
        f"the generator was late by {milliseconds(one['late'])} at most and took {one['cores']:.0%} of a core."
    )


def in_the_runs(found: Deploys, scenario: str) -> str:
    """How late the generator was for its own schedule, which is in every figure of that load."""
    loads = [result["loads"][scenario]["generator"] for name in found.names for result in found.of(name)]
    late = [load["late"] for load in loads]
    return (
        f"- In the runs, {scenario}: the generator was late by {milliseconds(statistics.median(late))} at most in the "
        f"median run, {milliseconds(max(late))} in the worst, and took {max(load['cores'] for load in loads):.0%} of a "
        f"core at most."
    )


NAMES = {"p50": "half of them", "p99": "p99", "p100": "the last"}
