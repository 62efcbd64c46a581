"""The report's part about how cost grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench import losing
from bench.words import megabytes, table
from bench.words import milliseconds as ms

Rows = Sequence[dict[str, float]]


def growth(found: dict[str, Any], picture: str) -> list[str]:
    """All tables, and what they say."""
    lines = ["## How cost grows", "", picture]
    for kind, (text, head, row) in TABLES.items():
        why = found.get("errors", {}).get(kind)
        lines += ["", text, "", *([f"Not measured: {why}."] if why else table(head, [row(one) for one in found[kind]]))]
        lines += beside(found) if kind == "services" else []
    return lines


def of_services(one: dict[str, float]) -> list[str]:
    """A line for so many services."""
    seconds = (ms(one[key]) for key in ("deploy_one", "deploy_all", "status", "switch", "switch_all"))
    return [f"{one['services']:,.0f}", *seconds, f"{one['nginx_text'] / 1000:,.0f} kB", megabytes(one["keeper_memory"])]


def of_history(one: dict[str, float]) -> list[str]:
    """A line for so many deploys."""
    seconds = (ms(one[key]) for key in ("deploy", "status", "history"))
    return [f"{one['deploys']:,.0f}", *seconds, f"{one['state'] / 1000:,.0f} kB"]


def of_connections(one: dict[str, float]) -> list[str]:
    """A line for so many connections."""
    return [f"{one['connections']:,.0f}", ms(one["deploy"]), f"{one['draining_cpu']:.1%}", ms(one["end"])]


def of_releases(one: dict[str, float]) -> list[str]:
    """A line for so many megabytes."""
    return [f"{one['megabytes']:,.0f} MB", ms(one["build"]), ms(one["deploy"])]


def beside(found: dict[str, Any]) -> list[str]:
    """The peer that leads to many services from one process, or why it is not here."""
    if why := found.get("skipped", {}).get(PEER):
        return ["", f"Skipped: {PEER}: {why}."]
    if why := found.get("errors", {}).get("peer_services"):
        return ["", f"Not measured: {PEER}: {why}."]
    theirs: Rows = found.get("peer_services", ())
    rows = [
        [f"{one['services']:,.0f}", ms(one["deploy_one"]), ms(one["list"]), megabytes(one["memory"])] for one in theirs
    ]
    return ["", BESIDE, "", *table("| services | deploy one | list | memory |", rows), "", lost(found)] if rows else []


def lost(found: dict[str, Any]) -> str:
    """Say in one sentence what zdd loses at, with as many services as both had."""
    theirs = {one["services"]: one for one in found["peer_services"]}
    pairs = [(ours, theirs[ours["services"]]) for ours in found["services"] if ours["services"] in theirs]
    at: list[str] = []
    not_at: list[str] = []
    for words, mine, other in COMPARED:
        less = [f"{ours['services']:,.0f}" for ours, one in pairs if other(one) < mine(ours) * (1 - losing.CLEARLY)]
        rest = [size for ours, _ in pairs if (size := f"{ours['services']:,.0f}") not in less]
        for sizes, lines in ((less, at), (rest, not_at)):
            lines.extend([f"{words} ({losing.listed(sizes)} services)"] if sizes else [])
    return losing.sentence(at, not_at)


# In words, a figure of zdd, and one of the peer.
Find = Callable[[dict[str, float]], float]
COMPARED: tuple[tuple[str, Find, Find], ...] = (
    ("the deploy of one", lambda ours: ours["deploy_one"], lambda one: one["deploy_one"]),
    ("the list of all", lambda ours: ours["status"], lambda one: one["list"]),
    ("memory", lambda ours: ours["keeper_memory"] * ours["services"], lambda one: one["memory"]),
)
PEER = "kamal-proxy"
BESIDE = """\
kamal-proxy, which is one process for all services. *Deploy one*: start the app, wait until it answers, `kamal-proxy
deploy`. *List*: `kamal-proxy list`; zdd's `status` also asks each instance. It has no command that deploys all."""

SERVICES = """\
Services, the smallest app there is. *Switch*: the step that publishes, of one service and of all. *Keeper*: the mean
proportional set size of the process beside each instance."""

CONNECTIONS = """\
Clients that stay connected to the old instance. *Draining*: share of a core that its keeper takes. *End*: from the last
one leaving to the old instance being gone."""

TABLES: dict[str, Any] = {
    "services": (
        SERVICES,
        "| services | deploy one | all | status | switch one | all | nginx text | keeper |",
        of_services,
    ),
    "history": (
        "Deploys made before, of one service:",
        "| deploys | deploy | status | history | state on disk |",
        of_history,
    ),
    "connections": (
        CONNECTIONS,
        "| connections | deploy | draining | end |",
        of_connections,
    ),
    "releases": (
        "Releases copied from a folder, files of 1 MB of noise, of which two are kept:",
        "| release | build | deploy |",
        of_releases,
    ),
}
