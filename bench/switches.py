"""The report's part about ways to lead nginx from one version to the next."""

from __future__ import annotations

from typing import Any

from bench import figures, peers
from bench.figures import MAIN, Deploys
from bench.words import count, milliseconds, table

HEAD = "| switch by | failed requests | connections closed | switch | the old one answers for |"


def switches(results: dict[str, Any], _: str) -> list[str]:
    """Say what was compared, and how it came out."""
    found = Deploys(results)
    skipped = [f"\nSkipped: {peers.load(name).title}: {why}." for name, why in found.settings["skipped"].items()]
    return ["## Ways to switch", "", METHOD.format(runs=len(found.runs)), "", *rows(found), *skipped]


METHOD = """\
The app and the load of above (32 connections, 40 %), {runs} runs of two deploys each. *Closed*: of 32, by a deploy.
*Switch*: from the new version being ready until nginx leads there. *The old one answers for*: from then on until its
last answer."""


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
                milliseconds(found.median(name, figures.of_deploy(MAIN, both_answer))),
            ]
        )
    return table(HEAD, lines)


TITLES = {"nginx_reload": "reload (SIGHUP)", "zdd_table": "**rename, upstream keep-alive of 1 s (zdd)**"}


def both_answer(one: dict[str, Any]) -> float | None:
    """Seconds from the switch to the old version's last answer."""
    return None if one["last_old"] is None else max(0.0, float(one["last_old"] - one["marks"]["switched"]))
