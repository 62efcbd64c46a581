"""What measures is measured first: the load generator before a server that answers at once, and a deploy of nothing."""

from __future__ import annotations

from typing import Any

from bench.path import backend
from bench.stage import KINDS, Scenario
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


def told(settings: dict[str, Any]) -> list[str]:
    """Say what it came to, nothing of results that have none."""
    lines = []
    for one in settings.get("generator", ()):
        times = ", ".join(f"{one[p] * 1000:.2f} ms ({name})" for p, name in NAMES.items())
        lines.append(
            f"- {one['connections']:,} connections, {one['rate']:.0f} requests a second: answered within {times}; the "
            f"generator was late by {one['late'] * 1000:.2f} ms at most and took {one['cores']:.0%} of a core."
        )
    if nothing := settings.get("nothing", {}).get("loads"):
        during = nothing["quiet"]
        cpu = during["deploys"][0]["cpu"] * 1000
        lines.append(
            f"- A deploy that does nothing, quiet: {cpu:.0f} ms of CPU, p99 {during['steady']['p99'] * 1000:.2f} ms "
            f"before and {during['during']['p99'] * 1000:.2f} ms in its time."
        )
    return ["", "What measures, alone, before a server that answers at once:", "", *lines] if lines else []


NAMES = {"p50": "half of them", "p99": "p99", "p100": "the last"}
