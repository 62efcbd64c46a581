"""The report's part about ways to lead nginx from one version to the next."""

from __future__ import annotations

from typing import Any

from bench import beside, figures, losing, peers
from bench.figures import MAIN, Deploys
from bench.words import count, milliseconds, table

HEAD = "| switch by | failed requests | connections closed | switch | the old one answers for |"


def switches(results: dict[str, Any], _: str) -> list[str]:
    """Say what was compared, and how it came out."""
    found = Deploys(results)
    lines = ["## Ways to switch", "", METHOD.format(runs=len(found.runs)), "", *rows(found), "", lost(found)]
    return lines + [f"\n{told}" for told in beside.skipped(found)]


METHOD = """\
The app and the load of above (32 connections, 40 %), {runs} runs of two deploys each. *Closed*: of 32, by a deploy.
*Switch*: from the new version being ready until clients are led there, of kamal-proxy by its log. *The old one answers
for*: from then on until its last answer."""


def rows(found: Deploys) -> list[str]:
    """A line for each way."""
    lines = []
    for name in found.names:
        failed, requests = found.failed(name, MAIN)
        outcomes = ", ".join(f"{number} {outcome}" for outcome, number in failed.items()) or "0"
        lines.append(
            [
                TITLES.get(name, peers.load(name).title),
                f"{outcomes} of {requests:,}",
                count(found.median(name, figures.per_deploy(MAIN, "reconnects"))),
                milliseconds(found.median(name, figures.switched(MAIN))),
                milliseconds(found.median(name, figures.after_the_switch(MAIN))),
            ]
        )
    return table(HEAD, lines)


TITLES = {"nginx_reload": "reload (SIGHUP)", "zdd_table": "**rename, upstream keep-alive with bounds (zdd)**"}


def lost(found: Deploys) -> str:
    """Say in one sentence what zdd loses at."""
    whose = [name for name in found.names if not name.startswith("zdd")]
    worse = {
        words: any((found.beyond(name, "zdd_table", figure) or 0) <= -least for name in whose)
        for words, figure, least in (
            ("failed requests", figures.failed_share, 1e-9),
            ("closed connections", figures.per_deploy(MAIN, "reconnects"), 0.5),
            ("the time of the switch", figures.switched(MAIN), 0.001),
            ("how long the old version answers", figures.after_the_switch(MAIN), 0.005),
        )
    }
    at, not_at = ([words for words, is_worse in worse.items() if is_worse is wanted] for wanted in (True, False))
    return losing.sentence(at, not_at)
