"""The report's part about the peers."""

from __future__ import annotations

from typing import Any

from bench import figures, peers
from bench.figures import MAIN, Deploys, Figure
from bench.words import count, megabytes, milliseconds, table

# What a peer may be better or worse at: in words, how it is found, and less than what a difference means nothing.
COMPARED: tuple[tuple[str, Figure, float], ...] = (
    ("p99 while deploying", figures.under(MAIN, "during", "p99"), 0.0005),
    ("time until the command returned", figures.of_deploy("quiet", lambda one: one["returned"]), 0.02),
    ("time until the new version answered", figures.of_deploy("quiet", lambda one: one["first_new"]), 0.05),
    ("CPU time of a deploy", figures.of_deploy("quiet", lambda one: one["cpu"]), 0.03),
    ("memory that stays", figures.memory, 500_000),
)
CLEARLY = 0.95  # a ratio below this is a difference


def deploys(results: dict[str, Any], picture: str) -> list[str]:
    """The peers."""
    found = Deploys(results)
    lines = ["## The same app, the same load", "", method(found), "", picture, ""]
    lines += table(MAIN_HEAD, [main_row(found, name) for name in found.names])
    lines += [f"\nSkipped: {peers.load(name).title}: {why}." for name, why in found.settings["skipped"].items()]
    lines += [f"\nFailed as a whole: {peers.load(name).title}: {why}." for name, why in found.errors().items()]
    lines += ["", "### Where zdd loses, and where it wins", "", *compared(found)]
    for scenario in found.scenarios:
        lines += ["", f"### {scenario.capitalize()}", "", load_line(found, scenario), ""]
        lines += table(LOAD_HEAD, [load_row(found, name, scenario) for name in found.names])
    lines += ["", "### How each was driven", "", "As these say; bench/peers/ has a file for each.", ""]
    return lines + [f"- {driver.title}: {driver.docs}" for driver in map(peers.load, found.names)]


def method(found: Deploys) -> str:
    """What was measured."""
    capacity = " and ".join(f"{rate:.0f} ({language})" for language, rate in found.settings["capacity"].items())
    return METHOD.format(runs=len(found.runs), capacity=capacity)


METHOD = """\
{runs} runs, the peers taking turns. Figures are medians over the runs, ratios medians of the ratios within each run.

All Python peers run the same app by gunicorn (one process, 16 threads), the Node peers its equivalent: half a second of
CPU to start, a millisecond for a request. Behind nginx it answers at most {capacity}
requests a second here, wrk asking. Half of the requests are GET, half are POST with 2 kB. The load generator sends each
request when it is due, repeats none, and counts its time from then. Access logs are off. Scripts by hand run inside the
benchmark and pay for no interpreter of their own; zddeploy and pm2 do.

Of a load of 32 connections, 40 % of what the app can do: *failed*, of all requests in all runs; *closed*, the client
connections that a deploy closed; *p99*, before a deploy, and from its start to the last answer of the old version or
the first of the new, whichever is later.

Of a deploy with one client at 20 requests a second, all without what the app's own start takes when nothing else runs:
*returned*, the command; *new*, the first answer of the new version; *old*, the last of the old; *CPU*, of all
processes. *Switch*: from the new instance being ready until clients are led to it, where that can be seen. *Memory*:
the proportional set size of all that is not the app, afterwards."""


MAIN_HEAD = "| way | failed | closed | p99 before, deploying | switch | returned | new | old | CPU | memory |"


def main_row(found: Deploys, name: str) -> list[str]:
    """A peer's line in the first table."""
    failed, requests = found.failed(name, MAIN)
    quiet = {key: found.median(name, figures.less_boot("quiet", key, "seconds")) for key in TIMES}
    steady, during = (found.median(name, figures.under(MAIN, when, "p99")) for when in ("steady", "during"))
    return [
        peers.load(name).title,
        f"{failed.total()} of {requests:,}",
        count(found.median(name, figures.per_deploy(MAIN, "reconnects"))),
        f"{milliseconds(steady)}, {milliseconds(during)}",
        milliseconds(found.median(name, figures.switched("quiet"))),
        *(milliseconds(quiet[key]) for key in TIMES),
        milliseconds(found.median(name, figures.less_boot("quiet", "cpu", "cpu"))),
        megabytes(found.median(name, figures.memory)),
    ]


SUMMARY_HEAD = "| way | failed requests | connections closed, of 32 | p99 before, deploying | memory beside the app |"


def summary(found: Deploys) -> list[str]:
    """The first table in short."""
    rows = [main_row(found, name) for name in found.names]
    return table(SUMMARY_HEAD, [[*row[:4], row[-1]] for row in rows])


TIMES = ("returned", "first_new", "last_old")
LOAD_HEAD = (
    "| way | failed | closed | p50 before | p99 | p99.9 | p50 deploying | p99 | p99.9 | times p99 | "
    "switch | returned | new | old |"
)


def load_line(found: Deploys, scenario: str) -> str:
    """Say what the load is."""
    one = next(one for one in found.settings["scenarios"] if one["name"] == scenario)
    share = f"{one['share']:.0%} of what the app can do" if "share" in one else f"{one['rate']} requests a second"
    return f"{one['connections']:,} connections, {share}. Times are milliseconds from the start of the deploy."


def load_row(found: Deploys, name: str, scenario: str) -> list[str]:
    """A peer's line under that load."""
    failed, _ = found.failed(name, scenario)
    percentiles = [
        milliseconds(found.median(name, figures.under(scenario, when, p)), "")
        for when in ("steady", "during")
        for p in ("p50", "p99", "p99.9")
    ]
    steady, during = (figures.under(scenario, when, "p99") for when in ("steady", "during"))
    ratio = found.ratio(name, during, below=steady)
    return [
        peers.load(name).title,
        ", ".join(f"{number} {outcome}" for outcome, number in failed.items()) or "0",
        count(found.median(name, figures.per_deploy(scenario, "reconnects"))),
        *percentiles,
        f"{ratio:.1f}" if ratio else "",
        milliseconds(found.median(name, figures.switched(scenario)), ""),
        *(milliseconds(found.median(name, figures.of_deploy(scenario, by_key(key))), "") for key in TIMES),
    ]


def by_key(key: str) -> Any:
    """Return what finds this figure of a deploy."""
    return lambda one: one[key]


def compared(found: Deploys) -> list[str]:
    """A line for each figure: who is better than zdd with the same app, who is worse, by how many times."""
    lines = []
    for words, figure, least in COMPARED:
        better, worse = [], []
        for name in found.names:
            base = found.baseline(name)
            ratio = found.ratio(name, figure, base) if base in found.names and not name.startswith("zdd") else None
            ours, theirs = found.median(base, figure), found.median(name, figure)
            if ratio is None or ours is None or theirs is None or abs(ours - theirs) < least:
                continue
            told = f"{peers.load(name).title} ({ratio:.2f})"
            if ratio < CLEARLY:
                better.append(told)
            elif ratio > 1 / CLEARLY:
                worse.append(told)
        lines.append(
            f"- **{words[0].upper()}{words[1:]}**, as a multiple of zdd's. Less: {', '.join(better) or 'nobody'}. "
        )
        lines[-1] += f"More: {', '.join(worse) or 'nobody'}."
    return lines
