"""REPORT.md: every figure in it is in, or computed from, the results beside it."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from bench.beside import deploys
from bench.switches import switches
from bench.words import megabytes, table
from bench.words import milliseconds as ms


def write(folder: Path) -> None:
    """Write the report of the results that are there."""
    (folder / "REPORT.md").write_text(text(folder))


def text(folder: Path) -> str:
    """Return the whole report."""
    parts = [HEAD]
    for name, part in PARTS.items():
        file = folder / f"{name}.json"
        if file.exists():
            found = json.loads(file.read_text())
            picture = f"![What the tables below say, as a picture]({name}.png)"
            parts.append("\n".join([*part(found, picture), "", f"*{name}.json: {origin(found)}*", ""]))
    return "\n".join(parts)


def origin(found: dict[str, Any]) -> str:
    """Name the machine and the versions."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    machine = f"{found['cpu']}, {found['cores']} cores, {found['memory_gb']} GB, Linux {found['kernel']}"
    return f"{found['date']}, {machine}, load average {found['load']:.1f} before it began; {versions}"


def path(found: dict[str, Any], picture: str) -> list[str]:
    """The data path."""
    runs = found["runs"]
    rows = []
    for way in runs[0]:
        kind, _, slots = way.partition(", ")
        plain = f"plain nginx, {slots}"
        ratios = {
            key: f"{statistics.median(run[way][key] / run[plain][key] for run in runs):.2f}" if slots else ""
            for key in ("rate", "p99")
        }
        rate, p99 = (statistics.median(run[way][key] for run in runs) for key in ("rate", "p99"))
        rows.append([kind, slots, f"{rate:,.0f}", ratios["rate"], ms(p99), ratios["p99"]])
    head = "| way | slots | requests/s | to plain nginx | p99 | to plain nginx |"
    return ["## The data path", "", PATH.format(runs=len(runs)), "", picture, "", *table(head, rows)]


def growth(found: dict[str, Any], picture: str) -> list[str]:
    """How cost grows."""
    services = [
        [
            f"{one['services']:.0f}",
            *(ms(one[key]) for key in ("deploy_one", "deploy_all", "status", "switch", "switch_all")),
            f"{one['nginx_text'] / 1000:,.0f} kB",
            megabytes(one["keeper_memory"]),
        ]
        for one in found["services"]
    ]
    history = [
        [
            f"{one['deploys']:.0f}",
            *(ms(one[key]) for key in ("deploy", "status", "history")),
            f"{one['state'] / 1000:,.0f} kB",
        ]
        for one in found["history"]
    ]
    connections = [
        [
            f"{one['connections']:.0f}",
            ms(one["deploy"]),
            f"{one['draining_cpu']:.1%}",
            ms(one["end"]),
        ]
        for one in found["connections"]
    ]
    releases = [[f"{one['megabytes']:.0f} MB", ms(one["build"]), ms(one["deploy"])] for one in found["releases"]]
    return [
        "## How cost grows",
        "",
        picture,
        "",
        SERVICES,
        "",
        *table("| services | deploy one | all | status | switch one | all | nginx text | keeper |", services),
        "",
        "Deploys made before, of one service:",
        "",
        *table("| deploys | deploy | status | history | state on disk |", history),
        "",
        CONNECTIONS,
        "",
        *table("| connections | deploy | draining | end |", connections),
        "",
        "Releases copied from a folder, files of 1 MB of noise, of which two are kept:",
        "",
        *table("| release | build | deploy |", releases),
    ]


PARTS = {"deploys": deploys, "switches": switches, "path": path, "growth": growth}

HEAD = """\
# zdd beside its peers

Written by `./dev bench`; bench/ is what measured it, bench/peers/ how each peer was driven.
"""

PATH = """\
zdd's own nginx text over UNIX sockets, and a plain nginx over TCP; both pool connections to the app, which is itself an
nginx, so that the proxy is what is measured. {runs} runs of wrk, 64 connections, access logs on."""

SERVICES = """\
Services, the smallest app there is. *Switch*: the step that publishes, of one service and of all. *Keeper*: the mean
proportional set size of the process beside each instance."""

CONNECTIONS = """\
Clients that stay connected to the old instance. *Draining*: share of a core that its keeper takes. *End*: from the last
one leaving to the old instance being gone."""
